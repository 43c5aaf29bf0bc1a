/** The waiting room: the student's place in it, and the consultant's queue. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Do, useAction } from "../parts/form.js";
import { Empty, Page, Pending, Refusal } from "../parts/page.js";
import { current } from "../calls.js";
import { useLive } from "../live.js";
import { Name } from "../people.js";
import { Dot } from "../presence.js";
import { go } from "../router.js";
import { myRoom, parley } from "../state.js";
import { moment } from "../when.js";

/** @import { Place } from "../contracts.js" */

/** @param {number | null} eta_s */
const eta = (eta_s) => {
  if (eta_s === null) return "";
  const minutes = Math.ceil(eta_s / 60);
  return minutes < 1 ? "Any moment now." : `In about ${minutes} minute${minutes > 1 ? "s" : ""}.`;
};

/** @param {number} ahead */
function before(ahead) {
  if (ahead === 0) return "You are next.";
  return ahead === 1 ? "One person is before you." : `${ahead} people are before you.`;
}

/** A place is held for a short while after the connection is lost: entering again keeps it.
 * @param {string} booking_id */
function usePlace(booking_id) {
  const place = useSignal(/** @type {Place | null} */ (null));
  const { run, error } = useAction(async () => {
    place.value = await parley.call("/waiting-room", "enter", { booking_id });
  });
  useEffect(() => {
    void run();
    const moved = parley.on("/waiting-room", "WAITING_ROOM_MOVED", (data) => {
      if (data.place.booking_id === booking_id) place.value = data.place;
    });
    const again = parley.on("connection", ({ namespace, connected }) => {
      if (namespace === "/waiting-room" && connected && place.value) void run();
    });
    return () => (moved(), again());
  }, [booking_id]);
  return { place, error, enter: run };
}

/** @param {{id: string}} props */
export function WaitingRoom({ id }) {
  const { place, error, enter } = usePlace(id);
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
      ${!place.value && !error.value && html`<${Pending} error=${null} />`}
      ${place.value && html`
        <div class="card center" role="status">
          <p class="big" data-test="position">${place.value.position}</p>
          <p>${before(place.value.ahead)}</p>
          <p class="quiet" data-test="eta">${eta(place.value.eta_s)}</p>
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
        ${" "}<span class="quiet">since ${moment(place.entered_at)}</span></span>
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
    },
  }), [id]);
  const places = state.value?.places;
  return html`
    <${Page} title="Queue">
      ${!places && html`<${Pending} error=${error.value} retry=${reload} />`}
      ${places?.length === 0 && html`<${Empty}>Nobody is waiting.<//>`}
      <ol class="list" aria-live="polite">${places?.map((place) => html`
        <${Waiting} key=${place.booking_id} place=${place} />`)}</ol>
      <p><a href="#/bookings">Back to your bookings</a></p>
    <//>`;
}
