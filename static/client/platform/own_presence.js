/** The user's own presence, live: the status, and whether others see it. */

import { useLive } from "../live.js";
import { myRoom, parley } from "../state.js";

/** @import { Commands } from "../contracts.js" */
/** @typedef {Commands["/presence"]["set_invisible"]["data"]} OwnPresence */

/** @param {OwnPresence} _ @param {OwnPresence} data */
const changed = (_, { status, invisible }) => ({ status, invisible });

/** @returns {import("../live.js").Source<OwnPresence>} */
const ownPresence = () => ({
  namespace: "/presence", room: myRoom(),
  load: () => parley.call("/presence", "me", {}),
  events: { VISIBILITY_CHANGED: changed, HIDDEN_STATUS_SET: changed },
});

export const useOwnPresence = () => useLive(ownPresence, []);

/** @param {boolean} on */
export const setInvisible = (on) => parley.call("/presence", "set_invisible", { on });
