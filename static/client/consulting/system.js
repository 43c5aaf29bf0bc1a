/** Consulting's part of the page: consultants, bookings, waiting rooms and calls. */

import { html } from "htm/preact";
import { path } from "../router.js";
import { isConsultant, me } from "../state.js";
import { later } from "../systems.js";
import { current, startCalls } from "./calls.js";

/** @import { System } from "../systems.js" */

const Bookings = later(async () => (await import("./pages/bookings.js")).Bookings);
const CallPage = later(async () => (await import("./pages/call.js")).CallPage);
const Consultant = later(async () => (await import("./pages/consultant.js")).Consultant);
const Consultants = later(async () => (await import("./pages/consultants.js")).Consultants);
const Consulting = later(async () => (await import("./pages/consulting.js")).Consulting);
const QueuePage = later(async () => (await import("./pages/waiting_room.js")).QueuePage);
const SchedulePage = later(async () => (await import("./pages/schedule.js")).SchedulePage);
const WaitingRoom = later(async () => (await import("./pages/waiting_room.js")).WaitingRoom);
const Calendar = later(async () => (await import("./parts/calendar.js")).Calendar);
const ChatCard = later(async () => (await import("./parts/booking.js")).ChatCard);
const ChatAction = later(async () => (await import("./parts/chat_booking.js")).AskForBooking);

/** @param {{id: string, block_id: string}} props */
const OneOrAll = ({ id, block_id }) => (id
  ? html`<${Consultant} id=${id} block_id=${block_id} />` : html`<${Consultants} />`);

function CallAtHand() {
  const call = current.value;
  if (!call || (path.value[0] === "calls" && path.value[1] === call.id)) return null;
  return html`
    <p class="banner call" role="status" data-test="call-ready">Your call is ready.
      ${" "}<a class="button primary" href=${`#/calls/${call.id}`}>Join the call</a></p>`;
}

const ProfileSection = () => html`
  <h2>Consulting</h2>
  <p><a class="button" href="#/consulting">
    ${isConsultant() ? "Your consulting" : "Become a consultant"}</a></p>
  <${Calendar} />`;

/** @param {string} id */
const byId = (id) => ({ id });

/** @type {System} */
export const system = {
  pages: {
    "": { Shown: Consultants, visitors: true },
    bookings: { Shown: Bookings, props: byId },
    calls: { Shown: CallPage, props: byId },
    consultants: {
      Shown: OneOrAll, props: (id, block_id) => ({ id, block_id }), visitors: true,
    },
    consulting: { Shown: Consulting },
    queue: { Shown: QueuePage, props: byId },
    week: { Shown: SchedulePage },
    "waiting-room": { Shown: WaitingRoom, props: byId },
  },
  links: () => [
    { to: "", title: "Consultants", at: 0, also: "consultants" },
    ...(me.value ? [
      { to: "bookings", title: "Bookings", at: 10 },
      { to: "consulting", title: "Consulting", at: 40 },
    ] : []),
  ],
  start: startCalls,
  Banner: CallAtHand,
  cards: { booking: { title: "A booking", Shown: ChatCard } },
  ChatAction,
  ProfileSection,
};
