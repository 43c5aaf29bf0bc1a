/** The call that the viewer could be in now, and the waiting-list places offered to them. */

import { signal } from "@preact/signals";
import { me, parley } from "./state.js";

/** @import { Block, Call } from "./contracts.js" */
/** @import { EventName } from "./parley/typing.js" */

export const current = signal(/** @type {Call | null} */ (null));

/** @type {EventName<"/call">[]} */
const UNDER_WAY = ["CALL_INITIATED", "CALL_STARTED", "CALL_INTERRUPTED", "CALL_RESUMED"];
for (const event of UNDER_WAY) {
  parley.on("/call", event, (data) => {
    if ("call" in data && data.call.status !== "ended") current.value = data.call;
  });
}
parley.on("/call", "CALL_ENDED", ({ call }) => {
  if (current.value?.id === call.id) current.value = null;
});

/** @typedef {{block: Block, expires_at: string}} Offer */
const OFFERS = "parley.offers";

/** Kept over a reload, as no query answers which places are offered. @returns {Offer[]} */
function keptOffers() {
  try {
    return JSON.parse(sessionStorage.getItem(OFFERS) ?? "[]");
  } catch {
    return [];
  }
}

export const offers = signal(keptOffers());

/** @param {Offer[]} left */
function setOffers(left) {
  offers.value = left.filter(({ expires_at }) => Date.parse(expires_at) > Date.now());
  sessionStorage.setItem(OFFERS, JSON.stringify(offers.value));
}

/** @param {string} block_id */
export const withoutOffer = (block_id) =>
  setOffers(offers.value.filter(({ block }) => block.id !== block_id));

parley.on("/availability", "WAITING_LIST_OFFERED", (offer) =>
  setOffers([...offers.value.filter(({ block }) => block.id !== offer.block.id), offer]));
parley.on("/availability", "WAITING_LIST_OFFER_EXPIRED", ({ block }) => withoutOffer(block.id));
parley.on("/booking", "BOOKING_REQUESTED", ({ booking }) => {
  if (booking.student_id === me.value?.id && booking.block_id) withoutOffer(booking.block_id);
});

parley.on("signed_out", () => {
  current.value = null;
  setOffers([]);
});
