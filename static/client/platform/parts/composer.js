/** The field to write a message: Enter sends, Shift+Enter inserts a line break. */

import { html } from "htm/preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Attachments } from "./attachments.js";
import { discard, useDraft } from "../drafts.js";
import { answering, outgoing, send, sendAgain, takeOut } from "../messages.js";
import { parley } from "../../state.js";
import { words } from "../../words.js";
import { Mentions, useMentions } from "./mentions.js";
import { excerpt } from "./quote.js";

/** @import { Message } from "../../contracts.js" */

const TYPING_EVERY_MS = 3_000;

/** @param {{conversation_id: string}} props */
export function Composer({ conversation_id }) {
  const id = useId();
  const text = useSignal("");
  const told = useRef(0);
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const mentions = useMentions(conversation_id, text, area);
  const draft = useDraft(conversation_id, text);
  const input = (/** @type {any} */ event) => {
    text.value = event.currentTarget.value;
    mentions.look();
    draft.later();
    if (Date.now() - told.current < TYPING_EVERY_MS || !text.value) return;
    told.current = Date.now();
    parley.call("/chat", "typing", { conversation_id }).catch(() => {});
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    const said = text.value.trim();
    send(conversation_id, said, mentions.take());
    text.value = "";
    draft.sent(said);
    told.current = 0;
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`
    <${Answering} conversation_id=${conversation_id} />
    <form class="composer" onSubmit=${submit}>
      <label class="hidden" for=${id}>Message</label>
      <textarea id=${id} ref=${area} rows="2" maxlength="4000" placeholder="Message"
        value=${text.value} onInput=${input} onKeyDown=${key}></textarea>
      <${Mentions} mentions=${mentions} />
      <button type="submit" class="primary">Send</button>
    </form>
    <${Attachments} conversation_id=${conversation_id} />`;
}

/** @param {{conversation_id: string}} props */
function Answering({ conversation_id }) {
  const asked = answering.value;
  if (asked?.conversation_id !== conversation_id) return null;
  return html`
    <div class="actions quote" data-test="answering">
      <span>Replying to: ${excerpt(asked)}</span>
      <button type="button" class="plain" onClick=${() => (answering.value = null)}>
        Cancel reply</button>
    </div>`;
}

/** @param {import("../messages.js").Outgoing} one */
function remove({ client_id, conversation_id }) {
  takeOut(client_id);
  discard(conversation_id);
}

/**
 * Messages that are being sent and have not appeared in the history yet.
 * @param {{conversation_id: string, messages: Message[]}} props
 */
export function OnTheirWay({ conversation_id, messages }) {
  const come = new Set(messages.map(({ client_id }) => client_id));
  const mine = outgoing.value.filter((one) => one.conversation_id === conversation_id);
  useEffect(() => {
    for (const { client_id } of mine) if (come.has(client_id)) takeOut(client_id);
  });
  return mine.filter(({ client_id }) => !come.has(client_id)).map((one) => html`
    <li key=${one.client_id} class="message mine waiting" data-test="outgoing">
      <p class="prose">${one.text}</p>
      <footer class="quiet">
        ${one.refusal ? html`<span role="alert">Not sent. ${words(one.refusal)}</span>
          <button type="button" class="plain" onClick=${() => sendAgain(one)}>Send again</button>
          <button type="button" class="plain" onClick=${() => remove(one)}>Discard</button>`
        : "Sending …"}
      </footer>
    </li>`);
}
