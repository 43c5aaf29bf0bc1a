/** More actions on a message: pin it, mark it as unread, remove it for oneself, see who read it. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { markUnread } from "../chats.js";
import { Name } from "../people.js";
import { me, parley } from "../../state.js";
import { moment } from "../../when.js";
import { Dialog } from "../../parts/dialog.js";
import { Do } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Empty, Pending } from "../../parts/page.js";
import { mayPin, pin } from "./pinned.js";

/** @import { ListedConversation, Message, Receipt } from "../../contracts.js" */

/** @param {{title: string, receipts: Receipt[]}} props */
const Told = ({ title, receipts }) => html`
  <h3>${title}</h3>
  ${!receipts.length && html`<${Empty}>No one yet<//>`}
  <ul class="list">${receipts.map(({ user_id, at }) => html`
    <li key=${user_id} data-test="receipt"><${Name} id=${user_id} />
      ${at && html`<time class="quiet" datetime=${at}>${moment(at)}</time>`}</li>`)}</ul>`;

/** @param {{message_id: string, onClose: () => void}} props */
function SeenBy({ message_id, onClose }) {
  const { value, error, load } = useLoaded(
    () => parley.call("/chat", "receipts", { message_id }), [message_id]);
  return html`
    <${Dialog} title="Seen by" onClose=${onClose}>
      ${!value && html`<${Pending} error=${error} retry=${load} />`}
      ${value && html`
        <${Told} title="Read" receipts=${value.read} />
        <${Told} title="Delivered" receipts=${value.delivered} />`}
    <//>`;
}

/** @param {{message: Message, chat?: ListedConversation, pinned: boolean}} props */
export function More({ message, chat, pinned }) {
  const opened = useSignal(false);
  const seen = useSignal(false);
  const message_id = message.id;
  const shown = !message.deleted && !message.hidden;
  const unread = () => markUnread(message.conversation_id, message.seq);
  const remove = () => parley.call("/chat", "delete_for_me", { message_id });
  return html`
    <button type="button" class="plain" aria-expanded=${opened.value}
      onClick=${() => (opened.value = !opened.value)}>More</button>
    ${opened.value && html`
      ${mayPin(chat) && (pinned || shown) && html`<${Do} class="plain"
        action=${() => pin(message_id, !pinned)}>${pinned ? "Unpin" : "Pin"}<//>`}
      ${message.sender_id === me.value?.id && !message.deleted && html`
        <button type="button" class="plain" onClick=${() => (seen.value = true)}>Seen by</button>`}
      ${message.sender_id !== me.value?.id && !message.deleted && html`<${Do} class="plain"
        action=${unread}>Mark as unread from here<//>`}
      <${Do} class="plain" action=${remove}>Delete for me<//>`}
    ${seen.value && html`
      <${SeenBy} message_id=${message_id} onClose=${() => (seen.value = false)} />`}`;
}
