/** The user's reminders of bookings, and the address of their calendar. */

import { html } from "htm/preact";
import { Check, Do, useAction } from "../../parts/form.js";
import { Pending, Refusal } from "../../parts/page.js";
import { useLoaded } from "../../parts/loaded.js";
import { parley } from "../../state.js";

/** @typedef {"day" | "hour" | "minutes"} Reminder */

/** @type {[Reminder, string][]} */
const REMINDERS = [
  ["day", "A day before a booking"],
  ["hour", "An hour before a booking"],
  ["minutes", "Ten minutes before a booking"],
];

export function Calendar() {
  const { value, error, load } = useLoaded(() => parley.call("/calendar", "get", {}), []);
  const { run, error: refused } = useAction(
    async (/** @type {Reminder} */ name, /** @type {boolean} */ wanted) => {
      await parley.call("/calendar", "set_reminders", { [name]: wanted });
    });
  const renew = async () => {
    await parley.call("/calendar", "renew_feed", {});
    await load();
  };
  if (!value) return html`<${Pending} error=${error} retry=${load} />`;
  return html`
    <h3>Reminders</h3>
    ${REMINDERS.map(([name, label]) => html`
      <${Check} key=${name} label=${label} name=${name} defaultChecked=${value[name]}
        onChange=${(/** @type {any} */ event) => run(name, event.currentTarget.checked)} />`)}
    <${Refusal} error=${refused.value} />
    <h3>Calendar</h3>
    <p>Subscribe to this address in your calendar program.
      Whoever knows it can see your bookings.</p>
    <p><code data-test="feed">${value.feed_url}</code></p>
    <p><${Do} action=${renew}>Replace the address<//></p>`;
}
