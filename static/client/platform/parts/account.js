/** The export of the user's personal data, and the deletion of their account. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Links, renewOnReturn } from "../links.js";
import { useLive } from "../../live.js";
import { myRoom, parley } from "../../state.js";
import { date } from "../../when.js";
import { Do } from "../../parts/form.js";
import { Pending } from "../../parts/page.js";
import { openValid, useLinks } from "./media.js";
import { useProof } from "./proof.js";

/** @import { Commands } from "../../contracts.js" */
/** @typedef {Commands["/account"]["get"]["data"]} Account */

/** @returns {import("../../live.js").Source<Account>} */
const account = () => ({
  namespace: "/account",
  room: myRoom(),
  load: () => parley.call("/account", "get", {}),
  events: {
    EXPORT_PROGRESSED: (state, { export: one }) => ({ ...state, export: one }),
    EXPORT_READY: (state, { export: one }) => ({ ...state, export: one }),
    EXPORT_DROPPED: (state, { export: one }) =>
      state.export?.id === one.id ? { ...state, export: null } : state,
    ACCOUNT_DELETION_PLANNED: (state, { deleted_at }) => ({ ...state, deleted_at }),
    ACCOUNT_DELETION_CANCELLED: (state) => ({ ...state, deleted_at: null }),
  },
});

export function Account() {
  const made = useLive(account, []);
  const state = made.state.value;
  if (!state) return html`<${Pending} error=${made.error.value} retry=${made.reload} />`;
  return html`
    <${Export} export=${state.export} />
    <h2>Delete your account</h2>
    <${Deletion} deletedAt=${state.deleted_at} />`;
}

/** The file of the latest export, by its id. A link requires a recent proof of identity. */
const exportLinks = new Links(async ([id]) => {
  const { url, url_expires_in_s } = await parley.call("/account", "get", {});
  const expires_in_s = url_expires_in_s ?? 0;
  return new Map(url ? [[id, { url: parley.address(url), expires_in_s }]] : []);
}, 1);
renewOnReturn(exportLinks);

/** A link that works as long as it is shown; `again` asks for another proof if it needs one.
 * @param {{id: string, again: () => void}} props */
function Download({ id, again }) {
  const { links, error } = useLinks(exportLinks, id);
  useEffect(() => void (error && !links && again()), [error, links]);
  return links && html`
    <a href=${links.url} download onClick=${openValid(exportLinks, id)}>Download</a>`;
}

/** @param {{export: Account["export"]}} props */
function Export({ export: latest }) {
  const { attempt, asking } = useProof();
  const asked = useSignal(false);
  const ask = () => attempt(() => parley.call("/account", "export", {}));
  const find = () => attempt(async () => {
    const found = await parley.call("/account", "get", {});
    if (!found.url) throw Object.assign(new Error(), { code: "PROOF_NEEDED" });
    asked.value = true;
  });
  const again = () => void (asked.value = false);
  if (latest?.status === "preparing") {
    return html`
      <p role="status"><label>Preparing your export
        <progress max="100" value=${latest.percent} data-test="export"></progress></label></p>`;
  }
  return html`
    <p>A file with all the data that we store about you, such as your messages, bookings and
      files.</p>
    ${latest && html`
      <p role="status">Your export is available until ${date(latest.expires_at)}.${" "}
        ${asked.value
          ? html`<${Download} id=${latest.id} again=${again} />`
          : html`<${Do} action=${find}>Get a download link<//>`}</p>`}
    <p><${Do} action=${ask}>${latest ? "Export my data again" : "Export my data"}<//></p>
    ${asking}`;
}

/** @param {{deletedAt: string | null}} props */
function Deletion({ deletedAt }) {
  const sure = useSignal(false);
  const { attempt, asking } = useProof();
  const remove = () => attempt(async () => {
    await parley.call("/account", "delete", {});
    sure.value = false;
  });
  if (deletedAt) {
    return html`
      <p role="status">Your account will be deleted on ${date(deletedAt)}. Your bookings were
        cancelled, and other users can no longer find you.</p>
      <p><${Do} action=${() => parley.call("/account", "restore", {})}>
        Keep my account<//></p>`;
  }
  if (!sure.value) {
    return html`<p><${Do} action=${async () => (sure.value = true)}>Delete my account<//></p>`;
  }
  return html`
    <p>We cancel your bookings now, and delete your profile, files and messages after a few
      weeks. Until then you can change your mind.</p>
    <p class="actions">
      <${Do} action=${remove}>Yes, delete my account<//>
      <${Do} action=${async () => (sure.value = false)}>Cancel<//></p>
    ${asking}`;
}
