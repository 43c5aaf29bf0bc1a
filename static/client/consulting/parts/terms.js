/** The terms under which a consultant takes bookings. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Check, Field, Form } from "../../parts/form.js";
import { Pending } from "../../parts/page.js";
import { useLoaded } from "../../parts/loaded.js";
import { myId, parley } from "../../state.js";

/** @typedef {"min_notice_minutes" | "max_days_ahead" | "buffer_minutes" | "open_requests_max"
 *   | "change_until_minutes" | "late_cancellation_percent" | "no_show_percent"} NumberName */

/** @type {{name: NumberName, label: string, min: number, max: number, hint?: string}[]} */
const NUMBERS = [
  { name: "min_notice_minutes", label: "Notice before a booking, in minutes", min: 0, max: 20160 },
  { name: "max_days_ahead", label: "Bookings up to this many days ahead", min: 1, max: 400 },
  { name: "buffer_minutes", label: "Free time after a booked hour, in minutes", min: 0, max: 120 },
  { name: "open_requests_max", label: "Unanswered requests of one student", min: 1, max: 60 },
  {
    name: "change_until_minutes", label: "Free changes until this many minutes before the start",
    min: 0, max: 20160, hint: "With 0, students can move a booking until its hour ends.",
  },
  {
    name: "late_cancellation_percent", label: "Fee of a later cancellation, in percent",
    min: 0, max: 100, hint: "Of the price of the topic's minimum duration.",
  },
  { name: "no_show_percent", label: "Fee of a missed hour, in percent", min: 0, max: 100 },
];

export function Terms() {
  const { value, error, load } = useLoaded(() =>
    parley.call("/availability", "get_terms", { consultant_id: myId() }), []);
  const saved = useSignal(false);
  if (!value) return html`<${Pending} error=${error} retry=${load} />`;
  const save = async (/** @type {Record<string, string>} */ values) => {
    saved.value = false;
    const numbers = Object.fromEntries(NUMBERS.map(({ name }) => [name, Number(values[name])]));
    await parley.call("/availability", "set_terms",
      { ...numbers, approves_at_once: values.approves_at_once === "on" });
    saved.value = true;
  };
  return html`
    <${Form} submit="Save terms" onSubmit=${save} label="Terms">
      ${NUMBERS.map(({ name, ...field }) => html`
        <${Field} key=${name} name=${name} type="number" value=${value[name]} ...${field} />`)}
      <${Check} label="Approve requests at once" name="approves_at_once"
        defaultChecked=${value.approves_at_once} />
    <//>
    <p class="quiet">Bookings keep the terms that were agreed.</p>
    <p role="status" data-test="terms-saved">${saved.value ? "Saved." : ""}</p>`;
}
