/** Searching messages in all conversations. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { chats } from "../chats.js";
import { edited, isShown, kept, onChanges, placeOf } from "../messages.js";
import { nameOf, useNames } from "../people.js";
import { parley } from "../../state.js";
import { otherOf, titleOf } from "../titles.js";
import { moment } from "../../when.js";
import { Do, Field, Form } from "../../parts/form.js";
import { folded, placeIn } from "../../folding.js";
import { Empty } from "../../parts/page.js";

/** @import { Found, Message } from "../../contracts.js" */

const BEFORE = 40;
const LENGTH = 200;

/** An excerpt of a text around the first of the searched words.
 * @param {string} text @param {string} wanted */
export function around(text, wanted) {
  const low = folded(text);
  const places = folded(wanted).split(/\s+/).map((word) => low.indexOf(word));
  const first = Math.min(...places.filter((at) => at >= 0), low.length);
  const from = Math.max(0, placeIn(text, first) - BEFORE);
  const start = from < text.length - BEFORE ? from : 0;
  const shown = text.slice(start, start + LENGTH);
  return `${start ? "… " : ""}${shown}${start + LENGTH < text.length ? " …" : ""}`;
}

/** @param {{message: Message, wanted: string}} props */
function Hit({ message, wanted }) {
  const { conversation_id, sender_id, sent_at } = message;
  const chat = chats.value?.find(({ id }) => id === conversation_id);
  useNames([sender_id, chat && otherOf(chat)]);
  return html`
    <li class="card" data-test="found" data-id=${message.id}>
      <div class="card-head">
        <h3><a href=${placeOf(message)}>
          ${chat ? titleOf(chat) : "An earlier conversation"}</a></h3>
        <time class="quiet" datetime=${sent_at}>${moment(sent_at)}</time>
      </div>
      <p class="prose">${sender_id && `${nameOf(sender_id)}: `}
        <bdi>${around(message.text || message.media?.name || "", wanted)}</bdi></p>
    </li>`;
}

export function Search() {
  const wanted = useSignal("");
  const found = useSignal(/** @type {Found | null} */ (null));
  const search = async (/** @type {any} */ { text }) => {
    found.value = await parley.call("/chat", "search", { text });
    wanted.value = text;
  };
  const more = async () => {
    const had = /** @type {Found} */ (found.value);
    const ask = { text: wanted.value, before: had.next };
    const page = await parley.call("/chat", "search", ask);
    found.value = { ...page, messages: [...had.messages, ...page.messages] };
  };
  useEffect(() => onChanges(
    (message_id) => !!found.value?.messages.some(({ id }) => id === message_id),
    (message) => void (found.value &&= edited(found.value, { message }))), []);
  useEffect(() => parley.on("unrecovered", ({ namespace }) => {
    if (namespace === "/chat" && found.value) search({ text: wanted.value }).catch(() => {});
  }), []);
  const hits = kept(found.value?.messages ?? []).filter(isShown);
  return html`
    <${Form} submit="Search" onSubmit=${search} label="Search" quiet>
      <${Field} label="Search in messages" name="text" type="search" maxlength="200" />
    <//>
    ${found.value && html`
      <section aria-label="Search results">
        <div class="actions" role="status">
          ${!hits.length && !found.value.next && html`<${Empty}>No messages found.<//>`}</div>
        <ul class="cards">${hits.map((message) => html`
          <${Hit} key=${message.id} message=${message} wanted=${wanted.value} />`)}</ul>
        ${found.value.next && html`<p><${Do} action=${more}>Show more<//></p>`}
        <p><button type="button" class="plain" onClick=${() => (found.value = null)}>
          Clear the results</button></p>
      </section>`}`;
}
