/** The moderators' queue, live, and the audit log. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { useLive, withOne } from "../../live.js";
import { OpenedCase } from "../parts/case.js";
import { reasonWords } from "../parts/flag.js";
import { Do } from "../../parts/form.js";
import { Empty, Page, Pending } from "../../parts/page.js";
import { useLoaded } from "../../parts/loaded.js";
import { Name } from "../people.js";
import { parley } from "../../state.js";
import { moment } from "../../when.js";

/** @import { AuditEntry, Case } from "../../contracts.js" */
/** @typedef {{cases: Case[], next: string | null}} Queue */

/** Applies a changed case; one that belongs to a page not loaded yet is left out.
 * @param {Queue} queue @param {{case: Case}} data */
function changed(queue, { case: one }) {
  const others = queue.cases.filter(({ id }) => id !== one.id);
  const last = queue.cases.at(-1)?.id ?? "";
  if (one.closed_at || (queue.next && one.id > last)) return { ...queue, cases: others };
  const cases = withOne(others, one).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { ...queue, cases };
}

const useQueue = () => useLive(() => ({
  namespace: "/moderation", room: "moderators",
  load: () => parley.call("/moderation", "queue", {}),
  events: {
    CASE_OPENED: changed, CASE_CHANGED: changed,
    MODERATOR_ADDED: (queue) => queue, MODERATOR_REMOVED: (queue) => queue,
  },
}), []);

/** @param {Case} one */
const why = ({ reasons, hit }) => [
  ...Object.entries(reasons).map(([reason, count]) => `${reasonWords(reason)}: ${count}`),
  ...(hit ? [`Matched by the filter: ${hit}`] : []),
].join(", ");

/** @param {{one: Case, look: () => void}} props */
const Entry = ({ one, look }) => html`
  <li class="card" data-test="case" data-id=${one.id}>
    <div class="card-head">
      <h2><${Name} id=${one.sender_id ?? ""} /></h2>
      <time class="quiet" datetime=${one.opened_at}>${moment(one.opened_at)}</time>
    </div>
    <p class="prose">${why(one)}</p>
    ${one.hidden && html`<p class="quiet">Hidden until a decision</p>`}
    <button type="button" onClick=${look}>Review</button>
  </li>`;

/** @type {Record<AuditEntry["act"], string>} */
const ACTS = {
  grant: "granted a role", revoke: "revoked a role", hide_by_flags: "hid a flagged message",
  dismiss: "dismissed a case", hide: "hid a message", undo: "undid a decision",
};

/** @param {{entry: AuditEntry, look: (case_id: string) => void}} props */
function Act({ entry, look }) {
  const { actor_id, act, user_id, role, case_id, note, at } = entry;
  const by = act === "hide_by_flags" ? "The server" : "The operator";
  return html`
    <li class="card" data-test="act" data-act=${act}>
      <p class="prose">${actor_id ? html`<${Name} id=${actor_id} />` : by} ${ACTS[act]}
        ${role && ` (${role})`}${user_id && html`: <${Name} id=${user_id} />`}
        ${note && ` – ${note}`}</p>
      <time class="quiet" datetime=${at}>${moment(at)}</time>
      ${case_id && html`
        <button type="button" onClick=${() => look(case_id)}>Review</button>`}
    </li>`;
}

/** @param {{look: (case_id: string) => void}} props */
function Audit({ look }) {
  const { value, error, load, set } = useLoaded(
    () => parley.call("/moderation", "audit", {}), []);
  if (!value) return html`<${Pending} error=${error} retry=${load} />`;
  const older = async () => {
    const page = await parley.call("/moderation", "audit", { before: value.next });
    set({ ...page, entries: [...value.entries, ...page.entries] });
  };
  return html`
    <ul class="cards">${value.entries.map((entry) => html`
      <${Act} key=${entry.id} entry=${entry} look=${look} />`)}</ul>
    ${value.next && html`<${Do} action=${older}>Show older<//>`}`;
}

export function Moderation() {
  const { state, error, reload } = useQueue();
  const opened = useSignal("");
  const audit = useSignal(false);
  const look = (/** @type {string} */ case_id) => void (opened.value = case_id);
  const queue = state.value;
  const more = async () => {
    const page = await parley.call("/moderation", "queue", { after: queue?.next });
    const cases = page.cases.reduce(withOne, state.value?.cases ?? []);
    state.value = { cases, next: page.next };
  };
  return html`
    <${Page} title="Moderation" actions=${html`
      <button type="button" aria-pressed=${audit.value}
        onClick=${() => (audit.value = !audit.value)}>Audit log</button>`}>
      ${audit.value && html`<${Audit} look=${look} />`}
      ${!audit.value && !queue && html`<${Pending} error=${error.value} retry=${reload} />`}
      ${!audit.value && queue?.cases.length === 0 && html`<${Empty}>No open cases.<//>`}
      ${!audit.value && html`<ul class="cards">${queue?.cases.map((one) => html`
        <${Entry} key=${one.id} one=${one} look=${() => look(one.id)} />`)}</ul>`}
      ${!audit.value && queue?.next && html`<${Do} action=${more}>Show more<//>`}
      ${opened.value && html`
        <${OpenedCase} case_id=${opened.value} onClose=${() => (opened.value = "")} />`}
    <//>`;
}
