/** Forms to add, change and remove a consultant's topics. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Dialog } from "../../parts/dialog.js";
import { Area, Do, Field, Form, Select } from "../../parts/form.js";
import { Empty } from "../../parts/page.js";
import { PictureField, pictureOf } from "../../platform/parts/picture.js";
import { Topics } from "./topics.js";
import { currencies, money, typed } from "../../money.js";
import { parley } from "../../state.js";

/** @import { Topic } from "../../contracts.js" */

/** @param {any} form @param {FormData} data */
async function topicForm({ name, description, rate, currency, minimal_duration_minutes }, data) {
  return {
    name, description, hourly_rate: money(rate, currency),
    minimal_duration_minutes: Number(minimal_duration_minutes),
    ...await pictureOf(data, "icon_id"),
  };
}

/** @param {{topic?: Topic}} props */
const Fields = ({ topic }) => html`
  <${Field} label="Name" name="name" value=${topic?.name} maxlength="100" />
  <${Area} label="Description" name="description" value=${topic?.description} maxlength="5000" />
  <${Field} label="Price per hour" name="rate" type="number" min="0" step="any"
    value=${topic ? typed(topic.hourly_rate) : ""} />
  <${Select} label="Currency" name="currency" value=${topic?.hourly_rate.currency ?? "EUR"}
    options=${currencies().map((code) => [code, code])} />
  <${Field} label="Minimum call length in minutes" name="minimal_duration_minutes" type="number"
    min="1" max="60" value=${topic?.minimal_duration_minutes ?? 15} />
  <${PictureField} label="Icon" name="icon_id" address=${topic?.icon_url} />`;

/** @param {{topic?: Topic, onClose: () => void}} props */
function TopicDialog({ topic, onClose }) {
  const submit = async (/** @type {any} */ form, /** @type {FormData} */ data) => {
    const ask = await topicForm(form, data);
    if (topic) {
      await parley.call("/consultants", "update_topic", { topic_id: topic.id, ...ask });
    } else await parley.call("/consultants", "add_topic", ask);
    onClose();
  };
  return html`
    <${Dialog} title=${topic ? "Edit topic" : "Add topic"} onClose=${onClose}>
      <${Form} submit=${topic ? "Save topic" : "Add topic"} onSubmit=${submit}>
        <${Fields} topic=${topic} />
      <//>
    <//>`;
}

/** @param {{topic: Topic, onClose: () => void}} props */
function RemoveDialog({ topic, onClose }) {
  const remove = async () => {
    await parley.call("/consultants", "remove_topic", { topic_id: topic.id });
    onClose();
  };
  return html`
    <${Dialog} title="Remove topic" onClose=${onClose}>
      <p>Students will no longer be able to book “${topic.name}”.</p>
      <div class="actions">
        <${Do} class="primary" action=${remove}>Remove topic<//>
        <button type="button" onClick=${onClose}>Keep it</button>
      </div>
    <//>`;
}

/** @param {{topics: Topic[]}} props */
export function EditTopics({ topics }) {
  const dialog = useSignal(/** @type {{what: string, topic?: Topic} | null} */ (null));
  const close = () => (dialog.value = null);
  const open = (/** @type {string} */ what, /** @type {Topic} */ topic) => () =>
    (dialog.value = { what, topic });
  return html`
    ${!topics.length && html`<${Empty}>Students can book you once you offer a topic.<//>`}
    <${Topics} topics=${topics} actions=${(/** @type {Topic} */ topic) => html`
      <button type="button" aria-label=${`Edit ${topic.name}`} onClick=${open("edit", topic)}>
        Edit</button>
      <button type="button" aria-label=${`Remove ${topic.name}`} onClick=${open("remove", topic)}>
        Remove</button>`} />
    <p><button type="button" class="primary" onClick=${() => (dialog.value = { what: "add" })}>
      Add topic</button></p>
    ${dialog.value?.what === "remove"
      && html`<${RemoveDialog} topic=${dialog.value.topic} onClose=${close} />`}
    ${(dialog.value?.what === "edit" || dialog.value?.what === "add")
      && html`<${TopicDialog} topic=${dialog.value.topic} onClose=${close} />`}`;
}
