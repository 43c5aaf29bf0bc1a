/** A consultant's default week, and the weeks with other hours. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Dialog } from "../../parts/dialog.js";
import { Do, Select } from "../../parts/form.js";
import { Page, Pending } from "../../parts/page.js";
import { useLoaded } from "../../parts/loaded.js";
import { zoneOptions } from "../../parts/places.js";
import { Terms } from "../parts/terms.js";
import { Week } from "../parts/week.js";
import { parley } from "../../state.js";
import { comingWeeks, zone } from "../../when.js";

/** @import { Commands, WeeklyBlock } from "../../contracts.js" */
/** @typedef {Commands["/availability"]["get_schedule"]["data"]} Schedule */

const WEEKS = 12;

/** @param {{schedule: Schedule, reload: () => void}} props */
function DefaultWeek({ schedule, reload }) {
  const time_zone = useSignal(schedule.time_zone || zone);
  const saved = useSignal(false);
  const save = async (/** @type {WeeklyBlock[]} */ blocks) => {
    saved.value = false;
    await parley.call("/availability", "set_default_schedule",
      { time_zone: time_zone.value, blocks });
    saved.value = true;
    reload();
  };
  return html`
    <${Week} blocks=${schedule.default} submit="Save default week" onSave=${save}>
      <${Select} label="Time zone of these hours" name="time_zone" options=${zoneOptions()}
        value=${time_zone.value}
        onChange=${(/** @type {any} */ event) => (time_zone.value = event.currentTarget.value)} />
    <//>
    <p role="status" data-test="saved">${saved.value ? "Saved." : ""}</p>`;
}

/** @param {{count: number, onClose: () => void, confirm: () => Promise<unknown>}} props */
const BookedDialog = ({ count, onClose, confirm }) => html`
  <${Dialog} title="Hours with bookings" onClose=${onClose}>
    <p>${count} ${count === 1 ? "booking is" : "bookings are"} in hours that you are removing.
      If you continue, we cancel ${count === 1 ? "it" : "them"} and notify the students.</p>
    <div class="actions">
      <${Do} class="primary" action=${confirm}>Cancel bookings and save<//>
      <button type="button" onClick=${onClose}>Keep the bookings</button>
    </div>
  <//>`;

/** @param {unknown} details */
function countBooked(details) {
  if (Array.isArray(details)) return details.length;
  const bookings = /** @type {any} */ (details)?.bookings;
  return Array.isArray(bookings) ? bookings.length : 1;
}

/** @param {{schedule: Schedule, week: string, reload: () => void}} props */
function OneWeek({ schedule, week, reload }) {
  const saved = useSignal(false);
  const booked = useSignal(/** @type {{count: number, again: () => Promise<any>} | null} */ (null));
  const override = schedule.overrides.find((one) => one.week === week);
  const blocks = override?.blocks ?? schedule.default;
  /** Saves a change; if it affects bookings, the consultant decides whether to cancel them.
   * @param {(cancel: {}) => Promise<any>} change */
  const change = (change) => async () => {
    saved.value = false;
    const done = () => ((saved.value = true), (booked.value = null), reload());
    try {
      await change({});
      done();
    } catch (refusal) {
      const { code, details } = /** @type {any} */ (refusal);
      if (code !== "CONFLICT") throw refusal;
      const again = () => change({ cancel_bookings: true }).then(done);
      booked.value = { count: countBooked(details), again };
    }
  };
  const save = (/** @type {WeeklyBlock[]} */ to) => change((cancel) =>
    parley.call("/availability", "override_week", { week, blocks: to, ...cancel }))();
  const clear = change((cancel) =>
    parley.call("/availability", "clear_override", { week, ...cancel }));
  return html`
    <p>${override ? "This week differs from the default week."
      : "This week is the same as the default week."}</p>
    <${Week} key=${JSON.stringify(blocks)} submit="Save this week" onSave=${save}
      blocks=${blocks} />
    ${override && html`<${Do} action=${clear}>Use the default week<//>`}
    <p role="status" data-test="week-saved">${saved.value ? "Saved." : ""}</p>
    ${booked.value && html`<${BookedDialog} count=${booked.value.count}
      confirm=${booked.value.again} onClose=${() => (booked.value = null)} />`}`;
}

export function SchedulePage() {
  const { value, error, load } = useLoaded(() =>
    parley.call("/availability", "get_schedule", {}), []);
  const weeks = comingWeeks(WEEKS);
  const week = useSignal(weeks[0].week);
  if (!value) {
    return html`<${Page} title="Your times"><${Pending} error=${error} retry=${load} /><//>`;
  }
  return html`
    <${Page} title="Your times">
      <section aria-label="Default week">
        <h2>Default week</h2>
        <${DefaultWeek} schedule=${value} reload=${load} />
      </section>
      <section aria-label="Single week">
        <h2>Single week</h2>
        <${Select} label="Week" name="week" value=${week.value}
          options=${weeks.map((one) => [one.week, `${one.title} (${one.week})`])}
          onChange=${(/** @type {any} */ event) => (week.value = event.currentTarget.value)} />
        <${OneWeek} key=${week.value} schedule=${value} week=${week.value} reload=${load} />
      </section>
      <section aria-label="Terms">
        <h2>Terms</h2>
        <${Terms} />
      </section>
    <//>`;
}
