/** The hours of a week: which of them are available, and the maximum number of calls in each. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Field, Form, Select } from "../../parts/form.js";
import { Empty } from "../../parts/page.js";
import { oclock, weekdays } from "../../when.js";

/** @import { WeeklyBlock } from "../../contracts.js" */

const HOURS = Array.from({ length: 24 }, (_, hour) =>
  /** @type {[string, string]} */ ([String(hour), oclock(hour)]));
const ENDS = Array.from({ length: 24 }, (_, hour) =>
  /** @type {[string, string]} */ ([String(hour + 1), oclock(hour + 1)]));

/** @param {WeeklyBlock[]} blocks @param {WeeklyBlock} one */
const without = (blocks, one) =>
  blocks.filter(({ weekday, hour }) => weekday !== one.weekday || hour !== one.hour);

/** @param {WeeklyBlock[]} blocks @param {Record<string, string>} form */
function withSpan(blocks, { days, from, to, max_calls }) {
  const [first, last] = days.split("-").map(Number);
  let all = blocks;
  for (let weekday = first; weekday <= last; weekday++) {
    for (let hour = Number(from); hour < Number(to); hour++) {
      const one = { weekday, hour, max_calls: Number(max_calls) };
      all = [...without(all, one), one];
    }
  }
  return all.toSorted((a, b) => a.weekday - b.weekday || a.hour - b.hour);
}

/** @param {{name: string, blocks: WeeklyBlock[], remove: (block: WeeklyBlock) => void}} props */
const Day = ({ name, blocks, remove }) => html`
  <div class="day">
    <h3>${name}</h3>
    <ul class="chips">${blocks.map((block) => html`
      <li key=${block.hour} data-test="weekly-block">
        ${oclock(block.hour)} · ${block.max_calls} ${block.max_calls === 1 ? "call" : "calls"}
        <button type="button" class="plain" onClick=${() => remove(block)}
          aria-label=${`Remove ${name} ${oclock(block.hour)}`}>✕</button>
      </li>`)}</ul>
  </div>`;

/** @param {{add: (form: Record<string, string>) => void}} props */
function AddHours({ add }) {
  const names = weekdays();
  /** @type {[string, string][]} */
  const days = [...names.map((name, n) => /** @type {[string, string]} */ ([`${n}-${n}`, name])),
    ["0-4", `${names[0]} to ${names[4]}`], ["0-6", "Every day"]];
  const submit = (/** @type {any} */ form) => {
    if (Number(form.to) <= Number(form.from)) throw { code: "INVALID", details: "to" };
    add(form);
  };
  return html`
    <${Form} submit="Add hours" onSubmit=${submit} label="Add hours" quiet>
      <div class="row">
        <${Select} label="Day" name="days" options=${days} />
        <${Select} label="From" name="from" options=${HOURS} value="9" />
        <${Select} label="To" name="to" options=${ENDS} value="12" />
        <${Field} label="Calls per hour" name="max_calls" type="number" min="1" max="60"
          value="2" />
      </div>
    <//>`;
}

/**
 * @param {{blocks: WeeklyBlock[], submit: string, onSave: (blocks: WeeklyBlock[]) => any,
 *   children?: any}} props
 */
export function Week({ blocks, submit, onSave, children }) {
  const hours = useSignal(blocks);
  const remove = (/** @type {WeeklyBlock} */ one) => (hours.value = without(hours.value, one));
  const add = (/** @type {any} */ form) => (hours.value = withSpan(hours.value, form));
  return html`
    ${hours.value.length === 0 && html`<${Empty}>No hours.<//>`}
    ${weekdays().map((name, weekday) => {
      const ofDay = hours.value.filter((block) => block.weekday === weekday);
      return ofDay.length > 0 && html`
        <${Day} key=${weekday} name=${name} blocks=${ofDay} remove=${remove} />`;
    })}
    <${AddHours} add=${add} />
    <${Form} submit=${submit} onSubmit=${() => onSave(hours.value)} label=${submit}>
      ${children}
    <//>`;
}
