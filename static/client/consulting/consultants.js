/** Consultants and their topics, each fetched once, and again after `FRESH_MS`. */

import { signal } from "@preact/signals";
import { parley } from "../state.js";

/** @import { Consultant } from "../contracts.js" */

/** Consultants by id; null for people who are not consultants. */
const known = signal(/** @type {ReadonlyMap<string, Consultant | null>} */ (new Map()));
/** @type {Map<string, {at_ms: number, looking: Promise<Consultant | null>}>} */
const looked = new Map();
/** How long all components of a page share an answer; a page opened later fetches again. */
const FRESH_MS = 10_000;

/** @param {Consultant | null} found @param {string} id */
function note(id, found) {
  known.value = new Map(known.value).set(id, found);
  return found;
}

/** @param {string} id */
export function consultant(id) {
  const before = looked.get(id);
  if (before && Date.now() - before.at_ms < FRESH_MS) return before.looking;
  const looking = parley.call("/consultants", "get", { consultant_id: id })
    .then((found) => note(id, found), (refusal) => {
      if (refusal.code === "NOT_FOUND") return note(id, null);
      // Only "not found" is remembered; after another error, the next use asks again.
      looked.delete(id);
      return known.value.get(id) ?? null;
    });
  looked.set(id, { at_ms: Date.now(), looking });
  return looking;
}
