/** The waiting room: the student's place in it, and the consultant's queue. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Do, useAction } from "../../parts/form.js";
import { Empty, Page, Pending, Refusal } from "../../parts/page.js";
import { current } from "../calls.js";
import { useLive } from "../../live.js";
import { useLoaded } from "../../parts/loaded.js";
import { Name } from "../../platform/people.js";
import { Dot } from "../../platform/presence.js";
import { go } from "../../router.js";
import { myRoom, parley } from "../../state.js";
import { moment } from "../../when.js";

/** @import { Place } from "../../contracts.js" */
/** @import { EventName } from "../../parley/typing.js" */

/** @param {number | null} eta_s */
const eta = (eta_s) => {
  if (eta_s === null) return "";
  const minutes = Math.ceil(eta_s / 60);
  return minutes < 1 ? "Any moment now." : `In about ${minutes} minute${minutes > 1 ? "s" : ""}.`;
};

/** @param {number} ahead */
function before(ahead) {
  if (ahead === 0) return "You are next.";
  return ahead === 1 ? "One person is ahead of you." : `${ahead} people are ahead of you.`;
}

const CONSULTANT = {
  expected: "The consultant is not here yet.",
  late: "The consultant is late. Your place is kept.",
  here: "The consultant is here.",
  in_call: "The consultant is in a call.",
};

const ENDED = {
  lost: "You were away for too long, so your place is gone. You can enter again.",
  closed: "The hour has ended.",
  moved: "Your booking was moved to another hour.",
  cancelled: "The booking was cancelled.",
  completed: "The call has ended.",
  missed: "The hour has ended without a call.",
};

/** @type {EventName<"/booking">[]} Events that can end the wait, or begin it. */
const ABOUT_BOOKINGS = ["BOOKING_APPROVED", "BOOKING_REJECTED", "BOOKING_CANCELLED",
  "BOOKING_EXPIRED", "BOOKING_RESCHEDULED", "BOOKING_COMPLETED"];
/** A margin, because the server's clock decides when a block is over. */
const CLOCKS_DIFFER_MS = 3_000;

/**
 * The user's place. After a lost connection, the server keeps it for a short time. A place ends
 * with its booking. To enter again keeps the place, or fails if it no longer exists.
 * @param {string} booking_id
 */
function usePlace(booking_id) {
  const place = useSignal(/** @type {Place | null} */ (null));
  const news = useSignal("");
  const consultant = useSignal(/** @type {keyof typeof CONSULTANT | null} */ (null));
  const { run, error } = useAction(async () => {
    try {
      place.value = await parley.call("/waiting-room", "enter", { booking_id });
      news.value = "";
      consultant.value = (await parley.call("/waiting-room", "get", { booking_id })).consultant;
    } catch (refusal) {
      place.value = null;
      throw refusal;
    }
  });
  useEffect(() => {
    void run();
    const stops = ABOUT_BOOKINGS.map((event) => parley.on("/booking", event, ({ booking }) => {
      if (booking.id === booking_id) void run();
    }));
    stops.push(parley.on("/waiting-room", "WAITING_ROOM_MOVED", (data) => {
      if (data.place.booking_id === booking_id) place.value = data.place;
    }));
    stops.push(parley.on("/waiting-room", "WAITING_ROOM_CONSULTANT_CHANGED", (data) => {
      if (data.place.booking_id !== booking_id) return;
      place.value = data.place;
      consultant.value = data.consultant;
    }));
    stops.push(parley.on("/waiting-room", "WAITING_ROOM_PASSED_OVER", (data) => {
      if (data.place.booking_id === booking_id) {
        news.value = "The consultant took somebody who came after you.";
      }
    }));
    stops.push(parley.on("/waiting-room", "WAITING_ROOM_ENDED", (data) => {
      if (data.place.booking_id !== booking_id) return;
      place.value = null;
      news.value = ENDED[data.reason];
    }));
    stops.push(parley.on("connection", ({ namespace, connected }) => {
      if (namespace === "/waiting-room" && connected) void run();
    }));
    return () => stops.forEach((stop) => stop());
  }, [booking_id]);
  useEndOfBlock(place.value && booking_id, run);
  return { place, news, consultant, error, enter: run };
}

/** Calls `then` when the block ends, because the server sends no event for that.
 * @param {string | null} booking_id @param {() => void} then */
function useEndOfBlock(booking_id, then) {
  const { value } = useLoaded(async () =>
    (booking_id ? parley.call("/booking", "get", { booking_id }) : null), [booking_id]);
  useEffect(() => {
    if (!value) return undefined;
    const wait_ms = Date.parse(value.ends_at) - Date.now() + CLOCKS_DIFFER_MS;
    const timer = setTimeout(then, wait_ms);
    return () => clearTimeout(timer);
  }, [value]);
}

/** @param {{id: string}} props */
export function WaitingRoom({ id }) {
  const { place, news, consultant, error, enter } = usePlace(id);
  const call = current.value?.booking_id === id ? current.value : null;
  useEffect(() => void (call && go(`/calls/${call.id}`)), [call?.id]);
  const leave = async () => {
    await parley.call("/waiting-room", "leave", { booking_id: id });
    go("/bookings");
  };
  return html`
    <${Page} title="Waiting room">
      ${error.value && html`<${Refusal} error=${error.value} />
        <p><button type="button" onClick=${() => enter()}>Try again</button>
          ${" "}<a href="#/bookings">Back to your bookings</a></p>`}
      ${news.value && html`<p role="status" data-test="news">${news.value}</p>`}
      ${!place.value && !error.value && (news.value
        ? html`<p><button type="button" onClick=${() => enter()}>Enter again</button>
            ${" "}<a href="#/bookings">Back to your bookings</a></p>`
        : html`<${Pending} error=${null} />`)}
      ${place.value && html`
        <div class="card center" role="status">
          <p class="big" data-test="position">${place.value.position}</p>
          <p>${before(place.value.ahead)}</p>
          <p data-test="consultant">${consultant.value && CONSULTANT[consultant.value]}</p>
          ${consultant.value !== "late" && consultant.value !== "expected" && html`
            <p class="quiet" data-test="eta">${eta(place.value.eta_s)}</p>`}
          <p class="quiet">Stay on this page. The call opens here when it is your turn.</p>
        </div>
        <p><${Do} action=${leave}>Leave the waiting room<//></p>`}
    <//>`;
}

/** @typedef {{places: Place[]}} Queue */

/** @param {Place[]} places */
const counted = (places) => places
  .toSorted((a, b) => a.position - b.position || a.entered_at.localeCompare(b.entered_at))
  .map((place, ahead) => ({ ...place, position: ahead + 1, ahead }));

/** @param {string} block_id @param {(places: Place[], place: Place) => Place[]} change */
const inBlock = (block_id, change) =>
  (/** @type {Queue} */ queue, /** @type {{place: Place}} */ { place }) =>
    (place.block_id === block_id
      ? { ...queue, places: counted(change(queue.places, place)) } : queue);

/** @param {Place[]} places @param {Place} place */
const without = (places, place) =>
  places.filter(({ booking_id }) => booking_id !== place.booking_id);

/** @param {{place: Place}} props */
function Waiting({ place }) {
  const admit = async () => {
    const call = await parley.call("/waiting-room", "admit", { booking_id: place.booking_id });
    go(`/calls/${call.id}`);
  };
  return html`
    <li data-test="place" data-id=${place.booking_id}>
      <span>${place.position}. <${Name} id=${place.student_id} /> <${Dot} id=${place.student_id} />
        ${" "}<span class="quiet">since ${moment(place.entered_at)}</span>
        ${place.away && html` <span class="quiet" data-test="away">away</span>`}</span>
      <${Do} class="primary" action=${admit}>Admit<//>
    </li>`;
}

/** @param {{id: string}} props */
export function QueuePage({ id }) {
  const { state, error, reload } = useLive(() => ({
    namespace: "/waiting-room", room: myRoom(),
    load: () => parley.call("/waiting-room", "queue", { block_id: id }),
    events: {
      WAITING_ROOM_ENTERED: inBlock(id, (places, place) => [...without(places, place), place]),
      WAITING_ROOM_LEFT: inBlock(id, without),
      WAITING_ROOM_CHANGED: inBlock(id, (places, place) => [...without(places, place), place]),
    },
  }), [id]);
  const places = state.value?.places;
  return html`
    <${Page} title="Queue">
      ${!places && html`<${Pending} error=${error.value} retry=${reload} />`}
      ${places?.length === 0 && html`<${Empty}>No one is waiting.<//>`}
      <ol class="list" aria-live="polite">${places?.map((place) => html`
        <${Waiting} key=${place.booking_id} place=${place} />`)}</ol>
      <p><a href="#/bookings">Back to your bookings</a></p>
    <//>`;
}
