/** The viewer's conversations. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Empty, Page, Pending } from "../parts/page.js";
import { NewGroup } from "../parts/group.js";
import { Note } from "../parts/note.js";
import { chats, chatsRefusal, loadChats } from "../chats.js";
import { nameOf, useNames } from "../people.js";
import { Dot } from "../presence.js";
import { myId } from "../state.js";
import { moment } from "../when.js";

/** @import { ListedConversation, Message } from "../contracts.js" */

/** @param {ListedConversation} chat */
export const otherOf = ({ member_ids }) => member_ids.find((id) => id !== myId()) ?? myId();

/** @param {ListedConversation} chat */
export const titleOf = (chat) =>
  chat.kind === "group" ? chat.name || "Group" : nameOf(otherOf(chat));

/** @param {Message | null} message */
function preview(message) {
  if (!message) return "No messages yet";
  if (message.deleted) return "This message was deleted.";
  if (message.hidden) return "This message is hidden.";
  if (message.kind === "system") return html`<${Note} message=${message} />`;
  return message.text ?? (message.card ? "A booking" : "");
}

/** @param {{chat: ListedConversation}} props */
function Entry({ chat }) {
  const other = otherOf(chat);
  useNames([other]);
  const { last_message, unread } = chat;
  return html`
    <li class="card" data-test="conversation" data-id=${chat.id}>
      <div class="card-head">
        <h2><a href=${`#/chats/${chat.id}`}>${titleOf(chat)}</a>
          ${" "}${chat.kind === "direct" && html`<${Dot} id=${other} />`}</h2>
        ${unread > 0 && html`<span class="badge" aria-label=${`${unread} unread`}
          data-test="unread">${unread}</span>`}
      </div>
      <p class="clamp">${preview(last_message)}</p>
      ${last_message && html`<time class="quiet" datetime=${last_message.sent_at}>
        ${moment(last_message.sent_at)}</time>`}
    </li>`;
}

export function Chats() {
  const making = useSignal(false);
  return html`
    <${Page} title="Chats" actions=${html`
      <button type="button" onClick=${() => (making.value = true)}>New group</button>`}>
      ${!chats.value && html`<${Pending} error=${chatsRefusal.value} retry=${loadChats} />`}
      ${chats.value?.length === 0 && html`<${Empty}>No conversations yet. Write to a consultant
        ${" "}from their page.<//>`}
      <ul class="cards">${chats.value?.map((chat) => html`
        <${Entry} key=${chat.id} chat=${chat} />`)}</ul>
      ${making.value && html`<${NewGroup} onClose=${() => (making.value = false)} />`}
    <//>`;
}
