/** Forms to request a block, or a call right away. */

import { html } from "htm/preact";
import { Area, Form, Select } from "../../parts/form.js";
import { Dialog } from "../../parts/dialog.js";
import { price } from "../../money.js";
import { settleOffer } from "../offers.js";
import { go } from "../../router.js";
import { parley } from "../../state.js";
import { span } from "../../when.js";

/** @import { Block, Topic } from "../../contracts.js" */

/** @param {{topics: Topic[]}} props */
export const TopicAndNote = ({ topics }) => html`
  <${Select} label="Topic" name="topic_id" options=${topics.map((topic) =>
    [topic.id, `${topic.name} – ${price(topic.hourly_rate)} per hour`])} />
  <${Area} label="Note to the consultant" name="note" required=${false} maxlength="1000" />`;

/** The topic and the note, without the field of an empty note. @param {any} form */
export const asked = ({ topic_id, note }) => ({ topic_id, ...(note && { note }) });

/** @param {{block: Block, topics: Topic[], onClose: () => void}} props */
export function BookBlock({ block, topics, onClose }) {
  const submit = async (/** @type {any} */ form) => {
    await parley.call("/booking", "request", { block_id: block.id, ...asked(form) });
    settleOffer(block.id);
    go("/bookings");
  };
  return html`
    <${Dialog} title="Book a consultation" onClose=${onClose}>
      <p>${span(block)}. The consultant takes calls in turn within the block.</p>
      <${Form} submit="Request booking" onSubmit=${submit}>
        <${TopicAndNote} topics=${topics} />
      <//>
    <//>`;
}

/** @param {{consultant_id: string, topics: Topic[], onClose: () => void}} props */
export function AskNow({ consultant_id, topics, onClose }) {
  const submit = async (/** @type {any} */ form) => {
    await parley.call("/booking", "request_now", { consultant_id, ...asked(form) });
    go("/bookings");
  };
  return html`
    <${Dialog} title="Request a call now" onClose=${onClose}>
      <p>The consultant has two minutes to answer. The call begins once they approve.</p>
      <${Form} submit="Request call" onSubmit=${submit}>
        <${TopicAndNote} topics=${topics} />
      <//>
    <//>`;
}
