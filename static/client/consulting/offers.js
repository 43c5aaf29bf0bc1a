/** Offers of waiting-list places to the user, as found in their notifications. */

import { signal } from "@preact/signals";
import { lastAbout, told } from "../platform/notices.js";
import { usable } from "../parley/tokens.js";
import { me, parley } from "../state.js";

const KEY = "parley.settled";
const storage = usable(() => sessionStorage);

/** The notification ids of offers that were accepted or declined; they survive a reload. */
const settled = signal(/** @type {string[]} */ (JSON.parse(storage.getItem(KEY) ?? "[]")));

/** @param {string[]} ids */
function keep(ids) {
  settled.value = ids;
  storage.setItem(KEY, JSON.stringify(ids));
}

/** The open offer of a place in a block, if there is one.
 * @param {string} block_id @returns {{id: string, expires_at: string} | null} */
export function offerOf(block_id) {
  const last = lastAbout("block_id", block_id);
  if (last?.kind !== "waiting_list_offered" || settled.value.includes(last.id)) return null;
  const { expires_at } = told(last.data);
  return Date.parse(expires_at) > Date.now() ? { id: last.id, expires_at } : null;
}

/** @param {string} block_id */
export function settleOffer(block_id) {
  const offer = offerOf(block_id);
  if (offer) keep([...settled.value, offer.id]);
}

parley.on("/booking", "BOOKING_REQUESTED", ({ booking }) => {
  if (booking.student_id === me.value?.id && booking.block_id) settleOffer(booking.block_id);
});
parley.on("signed_out", () => keep([]));
