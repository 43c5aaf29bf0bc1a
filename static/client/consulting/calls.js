/** The user's current call, live. */

import { computed, signal } from "@preact/signals";
import { Live } from "../live.js";
import { me, myRoom, parley } from "../state.js";

/** @import { Call } from "../contracts.js" */
/** @typedef {{call: Call | null, interrupted: boolean}} AtHand */

/** @type {import("@preact/signals").Signal<Live<AtHand> | null>} */
const atHand = signal(null);

export const current = computed(() => atHand.value?.state.value?.call ?? null);

/** @param {boolean} interrupted */
const underWay = (interrupted) =>
  (/** @type {AtHand} */ _, /** @type {{call: Call}} */ { call }) => ({ call, interrupted });

/** @param {AtHand} at @param {{call: Call}} data @returns {AtHand} */
const ended = (at, { call }) =>
  (at.call?.id === call.id ? { call: null, interrupted: false } : at);

export function startCalls() {
  atHand.value?.stop();
  atHand.value = me.value && new Live({
    namespace: "/call", room: myRoom(),
    load: () => parley.call("/call", "current", {}),
    events: {
      CALL_INITIATED: underWay(false), CALL_STARTED: underWay(false),
      CALL_RESUMED: underWay(false), CALL_INTERRUPTED: underWay(true), CALL_ENDED: ended,
    },
  });
}
