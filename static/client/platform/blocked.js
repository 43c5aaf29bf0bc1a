/** The people whom the user has blocked, live. */

import { useLive } from "../live.js";
import { myRoom, parley } from "../state.js";

/** @typedef {{user_ids: string[]}} BlockedPeople */

/** @param {BlockedPeople} blocked @param {{person_id: string, on: boolean}} data */
function changed(blocked, { person_id, on }) {
  const others = blocked.user_ids.filter((id) => id !== person_id);
  return { ...blocked, user_ids: on ? [...others, person_id] : others };
}

/** @returns {import("../live.js").Source<BlockedPeople>} */
export const blockedPeople = () => ({
  namespace: "/chat", room: myRoom(),
  load: () => parley.call("/chat", "blocked", {}),
  events: { PERSON_BLOCKED: changed },
});

export const useBlocked = () => useLive(blockedPeople, []);
