/** The form to request a booking inside a conversation. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { consultant } from "../consultants.js";
import { TopicAndNote, asked } from "./booking_form.js";
import { Dialog } from "../../parts/dialog.js";
import { Form, Select } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Empty, Pending } from "../../parts/page.js";
import { parley } from "../../state.js";
import { inDays, span } from "../../when.js";

/** @import { Consultant, ListedConversation } from "../../contracts.js" */

/** @param {{conversation_id: string, consultant: Consultant, onClose: () => void}} props */
function ChatBooking({ conversation_id, consultant, onClose }) {
  const { value, error } = useLoaded(() => parley.call("/availability", "list_blocks",
    { consultant_id: consultant.id, from: inDays(0), to: inDays(21) }), [consultant.id]);
  const free = value?.blocks.filter(({ status }) => status === "available");
  const topics = consultant.topics.filter(({ active }) => active);
  const submit = async (/** @type {any} */ form) => {
    const { block_id } = form;
    await parley.call("/chat", "request_booking", { conversation_id, block_id, ...asked(form) });
    onClose();
  };
  return html`
    <${Dialog} title="Request a booking" onClose=${onClose}>
      ${!free && html`<${Pending} error=${error} />`}
      ${free && (!free.length || !topics.length) && html`
        <${Empty}>There are no free blocks to book.<//>`}
      ${free && free.length > 0 && topics.length > 0 && html`
        <${Form} submit="Request booking" onSubmit=${submit}>
          <${Select} label="Block" name="block_id"
            options=${free.map((block) => [block.id, span(block)])} />
          <${TopicAndNote} topics=${topics} />
        <//>`}
    <//>`;
}

/** The button for it, in a conversation with a consultant.
 * @param {{chat: ListedConversation, other: string}} props */
export function AskForBooking({ chat, other }) {
  const open = useSignal(false);
  const { value } = useLoaded(() => consultant(other), [other]);
  if (value?.status !== "active") return null;
  return html`
    <button type="button" onClick=${() => (open.value = true)}>Request a booking</button>
    ${open.value && html`<${ChatBooking} conversation_id=${chat.id} consultant=${value}
      onClose=${() => (open.value = false)} />`}`;
}
