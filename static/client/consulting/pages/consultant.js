/** A consultant's page: profile, topics and times, live. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Blocks } from "../parts/blocks.js";
import { BookBlock, AskNow } from "../parts/booking_form.js";
import { Do } from "../../parts/form.js";
import { Empty, Page, Pending, Refusal } from "../../parts/page.js";
import { Portrait } from "../../platform/parts/portrait.js";
import { countryName, languageName } from "../../parts/places.js";
import { Topics } from "../parts/topics.js";
import { useLive, withOne } from "../../live.js";
import { useBlocks } from "../blocks.js";
import { openChat } from "../../platform/chats.js";
import { fullName } from "../../platform/people.js";
import { Dot } from "../../platform/presence.js";
import { goToLogin } from "../../router.js";
import { me, parley } from "../../state.js";

/** @import { Block, Consultant as Person, Topic } from "../../contracts.js" */

/** @param {Person} person @param {{consultant: Person}} data */
const changed = (person, { consultant }) =>
  ({ ...person, ...consultant, topics: consultant.topics ?? person.topics });
/** @param {Person} person @param {{topic: Topic}} data */
const offered = (person, { topic }) => ({ ...person, topics: withOne(person.topics, topic) });
/** @param {Person} person @param {{topic: Topic}} data */
const withdrawn = (person, { topic }) =>
  ({ ...person, topics: person.topics.filter(({ id }) => id !== topic.id) });

/** @param {string} consultant_id */
export const useConsultant = (consultant_id) => useLive(
  () => ({
    namespace: "/consultants", room: `consultant:${consultant_id}`,
    load: () => parley.call("/consultants", "watch", { consultant_id }),
    events: {
      CONSULTANT_ONBOARDED: changed, CONSULTANT_PROFILE_UPDATED: changed,
      CONSULTANT_DEACTIVATED: changed,
      TOPIC_ADDED: offered, TOPIC_UPDATED: offered, TOPIC_REMOVED: withdrawn,
    },
  }),
  [consultant_id],
  () => void parley.call("/consultants", "unwatch", { consultant_id }).catch(() => {}),
);

/** @param {{person: Person}} props */
const About = ({ person }) => html`
  <div class="with-portrait">
    <${Portrait} person=${person} />
    <p class="quiet">${[countryName(person.country), ...person.languages.map(languageName)]
      .join(" · ")} <${Dot} id=${person.id} /></p>
  </div>
  <p class="prose">${person.about_me}</p>`;

/** @param {{id: string, block_id?: string}} props */
export function Consultant({ id, block_id = "" }) {
  const { state, error, reload } = useConsultant(id);
  const blocks = useBlocks(id);
  const asking = useSignal(block_id);
  const person = state.value;
  if (!person) {
    return html`<${Page} title="Consultant">
      <${Pending} error=${error.value} retry=${reload} /><//>`;
  }
  const topics = person.topics.filter(({ active }) => active);
  const bookable = me.value?.id !== id && person.status === "active" && topics.length > 0;
  const block = blocks.state.value?.blocks.find((one) => one.id === asking.value);
  const ask = (/** @type {string} */ what) => () => {
    if (me.value) asking.value = what;
    else goToLogin();
  };
  const close = () => (asking.value = "");
  const free = blocks.state.value?.available_now;
  return html`
    <${Page} title=${fullName(person)}>
      <${About} person=${person} />
      <div class="actions">
        ${free && bookable
          && html`<button type="button" class="primary" onClick=${ask("now")}>
            Request a call</button>`}
        ${me.value && me.value.id !== id && html`<${Do} action=${() => openChat(id)}>Message<//>`}
      </div>
      ${free && html`<p><span class="tag approved" data-test="available-now">
        Available now</span></p>`}
      ${person.status !== "active" && html`<p role="status">
        This consultant is not taking bookings at the moment.</p>`}
      <h2>Topics</h2>
      ${topics.length === 0 && html`<${Empty}>No topics yet.<//>`}
      <${Topics} topics=${topics} />
      <h2>Times</h2>
      ${!blocks.state.value && html`<${Pending} error=${blocks.error.value} />`}
      ${blocks.state.value && html`
        <${Blocks} blocks=${blocks.state.value.blocks} bookable=${bookable}
          book=${(/** @type {Block} */ one) => ask(one.id)()} />`}
      ${block && bookable && me.value
        && html`<${BookBlock} block=${block} topics=${topics} onClose=${close} />`}
      ${asking.value === "now" && html`
        <${AskNow} consultant_id=${id} topics=${topics} onClose=${close} />`}
      ${block_id && blocks.state.value && !block && asking.value === block_id
        && html`<${Refusal} error=${{ code: "NOT_FOUND" }} />`}
    <//>`;
}
