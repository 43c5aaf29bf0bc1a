/** The user's conversations. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Empty, Page, Pending } from "../../parts/page.js";
import { NewGroup } from "../parts/group.js";
import { Note } from "../parts/note.js";
import { GroupPicture } from "../parts/portrait.js";
import { Search } from "../parts/search.js";
import { chats, chatsRefusal, isMuted, loadChats, unreadIn } from "../chats.js";
import { useNames } from "../people.js";
import { Dot } from "../presence.js";
import { cardOf } from "../../systems.js";
import { otherOf, titleOf } from "../titles.js";
import { moment } from "../../when.js";

/** @import { ListedConversation, Message } from "../../contracts.js" */

/** @param {Message | null} message */
function preview(message) {
  if (!message) return "No messages yet";
  if (message.deleted) return "This message was deleted.";
  if (message.hidden) return "This message is hidden.";
  if (message.kind === "system") return html`<${Note} message=${message} />`;
  return message.text || (cardOf(message.card?.kind)?.title ?? message.media?.name);
}

/** @param {{chat: ListedConversation}} props */
function Entry({ chat }) {
  const other = otherOf(chat);
  useNames([other]);
  const { last_message, unread } = chat;
  return html`
    <li class="card" data-test="conversation" data-id=${chat.id}>
      <div class="card-head">
        <div class="with-portrait"><${GroupPicture} picture_id=${chat.picture_id} />
          <h2><a href=${`#/chats/${chat.id}`}>${titleOf(chat)}</a>
            ${" "}${chat.kind === "direct" && html`<${Dot} id=${other} />`}</h2></div>
        ${isMuted(chat) && html`<span class="tag" data-test="muted">Muted</span>`}
        ${unread > 0 && html`<span class="badge" aria-label=${`${unread} unread`}
          data-test="unread">${unread}</span>`}
      </div>
      <p class="clamp">${chat.draft
        ? html`<em>Draft:</em> <bdi>${chat.draft}</bdi>` : preview(last_message)}</p>
      ${last_message && html`<time class="quiet" datetime=${last_message.sent_at}>
        ${moment(last_message.sent_at)}</time>`}
    </li>`;
}

/** @param {{away: boolean}} props */
const None = ({ away }) => html`<${Empty}>${away ? "No archived conversations."
  : "No conversations yet. To start one, open a person's page and select Message."}<//>`;

export function Chats() {
  const making = useSignal(false);
  const away = useSignal(false);
  const shown = chats.value?.filter(({ archived }) => archived === away.value);
  const waiting = unreadIn((chats.value ?? []).filter(({ archived }) => archived));
  return html`
    <${Page} title="Chats" actions=${html`
      <button type="button" aria-pressed=${away.value}
        onClick=${() => (away.value = !away.value)}>Archived
        ${waiting > 0 && html`${" "}<span class="badge" data-test="archived-unread"
          aria-label=${`${waiting} unread`}>${waiting}</span>`}</button>
      <button type="button" onClick=${() => (making.value = true)}>New group</button>`}>
      <${Search} />
      ${!shown && html`<${Pending} error=${chatsRefusal.value} retry=${loadChats} />`}
      ${shown?.length === 0 && html`<${None} away=${away.value} />`}
      <ul class="cards">${shown?.map((chat) => html`
        <${Entry} key=${chat.id} chat=${chat} />`)}</ul>
      ${making.value && html`<${NewGroup} onClose=${() => (making.value = false)} />`}
    <//>`;
}
