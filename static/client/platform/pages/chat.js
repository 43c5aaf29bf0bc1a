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

/** Marks messages as read once they are shown in a visible window.
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

/** The newest messages, or those around the sequence number `at`.
 * @param {{id: string, at: number | null}} props */
export function Chat({ id, at }) {
  const { state, error, reload } = useMessages(id, at);
  const chat = chatOf(id);
  const history = state.value;
  const messages = kept(history?.messages ?? []);
  const pins = kept(usePins(id).state.value?.messages ?? []);
  useNames(chat?.member_ids ?? []);
  useReading(id, at ? 0 : messages.at(-1)?.seq ?? 0);
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
