/** Actions on a whole conversation: members, mute, archive and block. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { useBlocked } from "../blocked.js";
import { isMuted, markUnread } from "../chats.js";
import { Dot } from "../presence.js";
import { parley } from "../../state.js";
import { systems } from "../../systems.js";
import { otherOf } from "../titles.js";
import { inDays, moment } from "../../when.js";
import { Dialog } from "../../parts/dialog.js";
import { Do } from "../../parts/form.js";
import { Members } from "./group.js";

/** @import { ListedConversation } from "../../contracts.js" */

const ALWAYS = "2999-01-01T00:00:00Z";
/** @type {[title: string, until: () => string][]} */
const QUIET = [
  ["For 8 hours", () => inDays(1 / 3)], ["For a week", () => inDays(7)], ["Always", () => ALWAYS],
];

/** @param {string} until */
const mutedWords = (until) =>
  (Date.parse(until) >= Date.parse(ALWAYS) ? "Muted" : `Muted until ${moment(until)}`);

/** @param {{chat: ListedConversation, onClose: () => void}} props */
function Mute({ chat, onClose }) {
  const mute = (/** @type {() => string} */ until) => async () => {
    await parley.call("/chat", "mute", { conversation_id: chat.id, until: until() });
    onClose();
  };
  return html`
    <${Dialog} title="Mute" onClose=${onClose}>
      <p>We still notify you when someone mentions you.</p>
      <div class="actions">${QUIET.map(([title, until]) => html`
        <${Do} key=${title} action=${mute(until)}>${title}<//>`)}</div>
    <//>`;
}

/** @param {{chat: ListedConversation, ask: () => void}} props */
function Quiet({ chat, ask }) {
  const unmute = () => parley.call("/chat", "mute", { conversation_id: chat.id });
  if (!isMuted(chat)) return html`<button type="button" onClick=${ask}>Mute</button>`;
  return html`<span class="quiet" data-test="muted">${mutedWords(chat.muted_until ?? "")}</span>
    <${Do} action=${unmute}>Unmute<//>`;
}

/** @param {{chat: ListedConversation}} props */
function Away({ chat }) {
  const { id: conversation_id, archived } = chat;
  const archive = () => parley.call("/chat", "archive", { conversation_id, on: !archived });
  return html`<${Do} action=${archive}>${archived ? "Unarchive" : "Archive"}<//>`;
}

/** @param {{user_id: string}} props */
function Block({ user_id }) {
  const blocked = useBlocked().state.value;
  if (!blocked) return null;
  const is = blocked.user_ids.includes(user_id);
  const block = () => parley.call("/chat", "block", { user_id, on: !is });
  return html`
    ${is && html`<span class="quiet" data-test="blocked">You have blocked this person.</span>`}
    <${Do} action=${block}>${is ? "Unblock" : "Block"}<//>`;
}

/** @param {{chat?: ListedConversation}} props */
export function ChatHead({ chat }) {
  const dialog = useSignal("");
  const close = () => (dialog.value = "");
  const direct = chat?.kind === "direct";
  const other = direct ? otherOf(chat) : "";
  if (!chat) return null;
  return html`
    <div class="actions">
      ${direct && html`<${Dot} id=${other} />`}
      ${direct && systems().map(({ ChatAction }) => ChatAction && html`
        <${ChatAction} chat=${chat} other=${other} />`)}
      ${!direct && html`<button type="button" onClick=${() => (dialog.value = "members")}>
        Members (${chat.member_ids.length})</button>`}
      <${Quiet} chat=${chat} ask=${() => (dialog.value = "mute")} />
      <${Away} chat=${chat} />
      <${Do} action=${() => markUnread(chat.id)}>Mark as unread<//>
      ${direct && html`<${Block} user_id=${other} />`}
    </div>
    ${dialog.value === "members" && html`<${Members} chat=${chat} onClose=${close} />`}
    ${dialog.value === "mute" && html`<${Mute} chat=${chat} onClose=${close} />`}`;
}
