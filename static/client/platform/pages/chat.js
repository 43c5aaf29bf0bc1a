/** One conversation. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { ChatHead } from "../parts/chat_head.js";
import { Composer, OnTheirWay } from "../parts/composer.js";
import { Do } from "../../parts/form.js";
import { Message } from "../parts/message.js";
import { Page, Pending, Refusal } from "../../parts/page.js";
import { Pinned } from "../parts/pinned.js";
import { GroupPicture } from "../parts/portrait.js";
import { chatOf, chats, loadChats, noteRead, typing } from "../chats.js";
import { kept, loadOlder, useMessages } from "../messages.js";
import { nameOf, useNames } from "../people.js";
import { usePins } from "../pins.js";
import { me, parley } from "../../state.js";
import { titleOf } from "../titles.js";

/** @param {string} conversation_id */
function readUpTo(conversation_id) {
  const marks = chatOf(conversation_id)?.read;
  return typeof marks === "object" ? marks[me.value?.id ?? ""] ?? 0 : 0;
}

/** Whether it can be unread. A mark on one's own message would count as one more reader of it.
 * @param {{sender_id: string | null}} message */
const isFromOther = ({ sender_id }) => sender_id !== me.value?.id;

/** Marks messages as read once they are shown in a visible window.
 * @param {string} conversation_id @param {number} seq */
function useReading(conversation_id, seq) {
  useEffect(() => {
    const mark = () => {
      const isRead = seq <= readUpTo(conversation_id) && !chatOf(conversation_id)?.unread;
      if (isRead || document.visibilityState !== "visible") return;
      noteRead(conversation_id, seq);
      parley.call("/chat", "mark_read", { conversation_id, seq }).catch(() => {});
    };
    mark();
    document.addEventListener("visibilitychange", mark);
    return () => document.removeEventListener("visibilitychange", mark);
  }, [conversation_id, seq]);
}

/** Watches the marks of a group of more than five members while it is shown.
 * @param {string} conversation_id @param {boolean} gathered */
function useMarks(conversation_id, gathered) {
  useEffect(() => {
    if (!gathered) return undefined;
    const ask = { conversation_id };
    parley.call("/chat", "watch", ask).catch(() => {});
    return () => void (me.value && parley.call("/chat", "unwatch", ask).catch(() => {}));
  }, [conversation_id, gathered]);
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

/** The newest messages, or those around the sequence number `at`.
 * @param {{id: string, at: number | null}} props */
export function Chat({ id, at }) {
  const { state, error, reload } = useMessages(id, at);
  const chat = chatOf(id);
  const history = state.value;
  const messages = kept(history?.messages ?? []);
  const pins = kept(usePins(id).state.value?.messages ?? []);
  useNames(chat?.member_ids ?? []);
  useMarks(id, chat?.marks_seq !== undefined);
  useReading(id, at ? 0 : messages.findLast(isFromOther)?.seq ?? 0);
  const unknown = !chat && chats.value !== null;
  useEffect(() => void (unknown && loadChats()), [unknown]);
  return html`
    <${Page} title=${chat ? titleOf(chat) : "Conversation"}
      before=${html`<${GroupPicture} picture_id=${chat?.picture_id} />`}>
      <${ChatHead} chat=${chat} />
      <${Pinned} messages=${pins} chat=${chat} />
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
                  known=${messages} pinned=${pins.some((pin) => pin.id === message.id)}
                  sought=${message.seq === at} />`)}
              ${!at && html`<${OnTheirWay} conversation_id=${id} messages=${messages} />`}
            </ul>
          </div>
        </div>
      </div>
      <${Typing} id=${id} />
      ${at && html`<p><a href=${`#/chats/${id}`}>Show the newest messages</a></p>`}
      ${history && !at && html`<${Composer} conversation_id=${id} />`}
    <//>`;
}
