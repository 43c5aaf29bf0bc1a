/** A message: text, a card or a system note, with the actions that the user can take. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Dialog } from "../../parts/dialog.js";
import { Flag } from "./flag.js";
import { Area, Do, Form } from "../../parts/form.js";
import { Media } from "./media.js";
import { More } from "./message_more.js";
import { Note } from "./note.js";
import { Preview } from "./preview.js";
import { Quote } from "./quote.js";
import { Reactions } from "./reactions.js";
import { Name } from "../people.js";
import { answering } from "../messages.js";
import { moment } from "../../when.js";
import { me, parley } from "../../state.js";
import { cardOf } from "../../systems.js";

/** @import { ListedConversation, Message as Said } from "../../contracts.js" */

/** @param {{message: Said, onClose: () => void}} props */
function Edit({ message, onClose }) {
  const submit = async (/** @type {any} */ { text }) => {
    await parley.call("/chat", "edit", { message_id: message.id, text });
    onClose();
  };
  return html`
    <${Dialog} title="Edit message" onClose=${onClose}>
      <${Form} submit="Save" onSubmit=${submit}>
        <${Area} label="Message" name="text" value=${message.text} maxlength="4000" />
      <//>
    <//>`;
}

/** Whether a message was sent, delivered or read; in a large group only for its newest message.
 * Users who turn off read receipts do not see other users' receipts.
 * @param {Said} message @param {ListedConversation | undefined} chat */
function reached({ seq }, chat) {
  if (!chat) return "Sent";
  const newest = chat.last_message?.seq === seq;
  const count = (/** @type {Record<string, number> | number} */ marks) => {
    if (typeof marks === "number") return newest ? marks : 0;
    return Object.entries(marks).filter(([id, mark]) => id !== me.value?.id && mark >= seq).length;
  };
  const read = me.value?.settings.read_receipts ? count(chat.read) : 0;
  if (read) return chat.kind === "group" ? `Read by ${read}` : "Read";
  return count(chat.delivered) ? "Delivered" : "Sent";
}

/** @param {{message: Said, chat?: ListedConversation, pinned: boolean}} props */
function Foot({ message, chat, pinned }) {
  const editing = useSignal(false);
  const flagging = useSignal(false);
  const mine = message.sender_id === me.value?.id && !message.deleted;
  const shown = !message.deleted && !message.hidden;
  const remove = () => parley.call("/chat", "delete", { message_id: message.id });
  return html`
    <footer class="quiet">
      <time datetime=${message.sent_at}>${moment(message.sent_at)}</time>
      ${message.edited_at && shown && html`<span>edited</span>`}
      ${shown && html`<button type="button" class="plain"
        onClick=${() => (answering.value = message)}>Reply</button>`}
      ${shown && !mine && message.sender_id && html`<button type="button" class="plain"
        onClick=${() => (flagging.value = true)}>Flag</button>`}
      ${mine && html`<span data-test="mark">${reached(message, chat)}</span>`}
      ${mine && (message.kind === "text" || message.kind === "media") && html`
        ${shown && html`<button type="button" class="plain"
          onClick=${() => (editing.value = true)}>Edit</button>`}
        <${Do} class="plain" action=${remove}>Delete for everyone<//>`}
      <${More} message=${message} chat=${chat} pinned=${pinned} />
      ${flagging.value && html`
        <${Flag} message_id=${message.id} onClose=${() => (flagging.value = false)} />`}
      ${editing.value && html`
        <${Edit} message=${message} onClose=${() => (editing.value = false)} />`}
    </footer>`;
}

/** @param {{message: Said}} props */
function Body({ message }) {
  const { deleted, hidden, kind, card, media, text } = message;
  if (deleted) return html`<p class="quiet">This message was deleted.</p>`;
  if (hidden) return html`<p class="quiet">This message is hidden.</p>`;
  const known = cardOf(card?.kind);
  if (known && card?.data) return html`<${known.Shown} data=${card.data} />`;
  if (media) return html`<${Media} id=${message.id} media=${media} text=${text} />`;
  return html`<p class="prose">${text || `(${card?.kind ?? kind})`}</p>`;
}

/**
 * @typedef {{message: Said, chat?: ListedConversation, known?: Said[], pinned?: boolean,
 *   sought?: boolean}} Props
 */

/** A message; a `sought` one is scrolled into view. @param {Props} props */
export function Message({ message, chat, known = [], pinned = false, sought = false }) {
  const place = useRef(/** @type {HTMLLIElement | null} */ (null));
  useEffect(() => void (sought && place.current?.scrollIntoView({ block: "center" })), [sought]);
  const { sender_id, kind } = message;
  const mine = sender_id === me.value?.id;
  if (kind === "system") {
    return html`<li class="system quiet" data-test="message" data-id=${message.id} ref=${place}>
      <${Note} message=${message} /></li>`;
  }
  const named = !message.deleted && message.mentions.includes(me.value?.id ?? "");
  return html`
    <li class=${`message ${mine ? "mine" : ""} ${named ? "mentioned" : ""}
      ${sought ? "sought" : ""}`} data-test="message" data-id=${message.id} ref=${place}>
      ${sender_id && !mine && chat?.kind === "group"
        && html`<strong><${Name} id=${sender_id} /></strong>`}
      ${named && html`<span class="tag" data-test="mentioned">Mentions you</span>`}
      ${message.reply_to && !message.deleted
        && html`<${Quote} message_id=${message.reply_to} known=${known} />`}
      <${Body} message=${message} />
      ${message.preview && !message.deleted && html`<${Preview} preview=${message.preview} />`}
      ${!message.deleted && !message.hidden && html`<${Reactions} message=${message} />`}
      <${Foot} message=${message} chat=${chat} pinned=${pinned} />
    </li>`;
}
