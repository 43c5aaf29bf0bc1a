/** One conversation. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ChatBooking } from "../parts/chat_booking.js";
import { Composer, OnTheirWay } from "../parts/composer.js";
import { Do } from "../parts/form.js";
import { Members } from "../parts/group.js";
import { Message } from "../parts/message.js";
import { Page, Pending, Refusal } from "../parts/page.js";
import { chatOf, chats, loadChats, noteRead, typing } from "../chats.js";
import { kept, loadOlder, useMessages } from "../messages.js";
import { consultant, nameOf, useNames } from "../people.js";
import { Dot } from "../presence.js";
import { useLoaded } from "../parts/loaded.js";
import { me, parley } from "../state.js";
import { otherOf, titleOf } from "./chats.js";

/** @import { ListedConversation } from "../contracts.js" */

/** @param {string} conversation_id */
function readUpTo(conversation_id) {
  const marks = chatOf(conversation_id)?.read;
  return typeof marks === "object" ? marks[me.value?.id ?? ""] ?? 0 : 0;
}

/** Messages count as read once they are on a screen that is looked at.
 * @param {string} conversation_id @param {number} seq */
function useReading(conversation_id, seq) {
  useEffect(() => {
    const mark = () => {
      if (seq <= readUpTo(conversation_id) || document.visibilityState !== "visible") return;
      noteRead(conversation_id, seq);
      parley.call("/chat", "mark_read", { conversation_id, seq }).catch(() => {});
    };
    mark();
    document.addEventListener("visibilitychange", mark);
    return () => document.removeEventListener("visibilitychange", mark);
  }, [conversation_id, seq]);
}

/** @param {{id: string}} props */
function Typing({ id }) {
  const who = [...typing.value.keys()].filter((key) => key.startsWith(`${id}/`))
    .map((key) => key.slice(id.length + 1)).filter((user_id) => user_id !== me.value?.id);
  useNames(who);
  return html`<p class="quiet typing" role="status" data-test="typing">
    ${who.length > 0 && `${who.map(nameOf).join(", ")} ${who.length > 1 ? "are" : "is"} typing …`}
  </p>`;
}

/** @param {{chat?: ListedConversation}} props */
function Head({ chat }) {
  const dialog = useSignal("");
  const close = () => (dialog.value = "");
  const direct = chat?.kind === "direct";
  const other = direct ? otherOf(chat) : "";
  const { value } = useLoaded(async () => (other ? consultant(other) : null), [other]);
  if (!chat) return null;
  return html`
    <div class="actions">
      ${direct && html`<${Dot} id=${other} />`}
      ${direct && value?.status === "active" && html`
        <button type="button" onClick=${() => (dialog.value = "book")}>Ask for a booking</button>`}
      ${!direct && html`<button type="button" onClick=${() => (dialog.value = "members")}>
        Members (${chat.member_ids.length})</button>`}
    </div>
    ${dialog.value === "members" && html`<${Members} chat=${chat} onClose=${close} />`}
    ${dialog.value === "book" && html`
      <${ChatBooking} conversation_id=${chat.id} consultant=${value} onClose=${close} />`}`;
}

/** @param {{id: string}} props */
export function Chat({ id }) {
  const { state, error, reload } = useMessages(id);
  const chat = chatOf(id);
  const history = state.value;
  const messages = kept(history?.messages ?? []);
  useNames(chat?.member_ids ?? []);
  useReading(id, messages.at(-1)?.seq ?? 0);
  const unknown = !chat && chats.value !== null;
  useEffect(() => void (unknown && loadChats()), [unknown]);
  return html`
    <${Page} title=${chat ? titleOf(chat) : "Conversation"}>
      <${Head} chat=${chat} />
      ${!history && html`<${Pending} error=${error.value} retry=${reload} />`}
      ${history && error.value && html`<${Refusal} error=${error.value} />`}
      <div class="scroll">
        <div>
          ${history?.has_more && html`<p><${Do} action=${() => loadOlder(id, state)}>
            Show older messages<//></p>`}
          <div role="log" aria-label="Messages">
            <ul class="messages">
              ${messages.map((message) => html`
                <${Message} key=${message.id} message=${message} chat=${chat}
                  known=${messages} />`)}
              <${OnTheirWay} conversation_id=${id} messages=${messages} />
            </ul>
          </div>
        </div>
      </div>
      <${Typing} id=${id} />
      ${history && html`<${Composer} conversation_id=${id} />`}
    <//>`;
}
