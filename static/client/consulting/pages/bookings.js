/** The user's bookings in both roles, live. */

import { html } from "htm/preact";
import { BookingCard } from "../parts/booking.js";
import { Do } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Empty, Page, Pending } from "../../parts/page.js";
import { useLive, withOne } from "../../live.js";
import { myRoom, parley } from "../../state.js";
import { zone } from "../../when.js";

/** @import { Booking } from "../../contracts.js" */
/** @typedef {{bookings: Booking[], next: string | null}} Bookings */

const PAGE = 50;

/** Replaces a booking, which comes in an answer and in its event, unless the listed version is
 * newer. @param {Bookings} list
 * @param {{booking: Booking}} data */
function withBooking(list, { booking }) {
  const had = list.bookings.find(({ id }) => id === booking.id);
  if (had && had.version > booking.version) return list;
  return { ...list, bookings: withOne(list.bookings, booking) };
}

const EVENTS = Object.fromEntries([
  "BOOKING_REQUESTED", "BOOKING_APPROVED", "BOOKING_CREATED", "BOOKING_REJECTED",
  "BOOKING_CANCELLED", "BOOKING_RESCHEDULED", "BOOKING_EXPIRED", "BOOKING_COMPLETED",
].map((event) => [event, withBooking]));

/** @param {Booking} booking */
const open = ({ status }) => status === "requested" || status === "approved";
/** @param {Booking} a @param {Booking} b */
const soonest = (a, b) => (a.starts_at ?? "").localeCompare(b.starts_at ?? "");

/** @param {{title: string, bookings: Booking[], changed: (booking: Booking) => void}} props */
const Group = ({ title, bookings, changed }) => bookings.length > 0 && html`
  <section aria-label=${title}>
    <h2>${title}</h2>
    <div class="cards">${bookings.map((booking) => html`
      <${BookingCard} key=${booking.id} booking=${booking} changed=${changed} />`)}</div>
  </section>`;

/** The booking of the link that led here. @param {{id: string, bookings: Booking[],
 *   changed: (booking: Booking) => void}} props */
function Linked({ id, bookings, changed }) {
  const listed = bookings.find((booking) => booking.id === id);
  const { value, error, load, set } = useLoaded(async () =>
    (listed ? null : parley.call("/booking", "get", { booking_id: id })), [id]);
  const booking = listed ?? value;
  const both = (/** @type {Booking} */ to) => (set(to), changed(to));
  if (!booking) return html`<${Pending} error=${error} retry=${load} />`;
  return html`<${Group} title="This booking" bookings=${[booking]} changed=${both} />`;
}

/** @param {{id?: string}} props */
export function Bookings({ id = "" }) {
  const { state, error, reload } = useLive(() => ({
    namespace: "/booking", room: myRoom(), events: EVENTS,
    load: () => parley.call("/booking", "list", { limit: PAGE }),
  }), []);
  const list = state.value;
  if (!list) {
    return html`<${Page} title="Bookings">
      <${Pending} error=${error.value} retry=${reload} /><//>`;
  }
  const changed = (/** @type {Booking} */ booking) => {
    if (state.value) state.value = withBooking(state.value, { booking });
  };
  const older = async () => {
    const page = await parley.call("/booking", "list", { limit: PAGE, before: list.next ?? "" });
    const now = /** @type {Bookings} */ (state.value);
    state.value = { bookings: page.bookings.reduce(withOne, now.bookings), next: page.next };
  };
  const bookings = list.bookings.filter((booking) => booking.id !== id);
  const requested = bookings.filter(({ status }) => status === "requested").sort(soonest);
  const approved = bookings.filter(({ status }) => status === "approved").sort(soonest);
  const past = bookings.filter((booking) => !open(booking)).sort((a, b) => soonest(b, a));
  return html`
    <${Page} title="Bookings">
      <p class="quiet">Times in ${zone.replaceAll("_", " ")}</p>
      ${id && html`<${Linked} id=${id} bookings=${list.bookings} changed=${changed} />`}
      ${!list.bookings.length && html`<${Empty}>No bookings yet.
        ${" "}<a href="#/">Find a consultant</a><//>`}
      <${Group} title="Waiting for an answer" bookings=${requested} changed=${changed} />
      <${Group} title="Coming up" bookings=${approved} changed=${changed} />
      <${Group} title="Past" bookings=${past} changed=${changed} />
      ${list.next && html`<${Do} action=${older}>Show older<//>`}
    <//>`;
}
