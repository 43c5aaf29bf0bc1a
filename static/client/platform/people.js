/** The names of people, each fetched once. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { own } from "../parley/own.js";
import { me, parley } from "../state.js";

/** @import { Person } from "../contracts.js" */

const TOGETHER = 200;

const names = signal(/** @type {ReadonlyMap<string, Person | null>} */ (new Map()));
/** @type {Set<string>} The people whose names were or will be requested. */
const asked = new Set();
/** @type {string[]} */
let fresh = [];

/** Requests the names of all people on a page together. */
function askTogether() {
  const all = fresh;
  fresh = [];
  for (let from = 0; from < all.length; from += TOGETHER) {
    void learn(all.slice(from, from + TOGETHER));
  }
}

/** @param {string[]} user_ids */
async function learn(user_ids) {
  try {
    const { people } = await parley.call("/profile", "people", { user_ids });
    names.value = new Map([...names.value,
      ...user_ids.map((id) => /** @type {const} */ ([id, own(people, id) ?? null]))]);
  } catch {
    // Components that are shown later request these names again.
    for (const id of user_ids) asked.delete(id);
  }
}

/** @param {(string | null | undefined)[]} ids */
export function useNames(ids) {
  useEffect(() => {
    for (const id of ids) {
      if (!id || id === me.value?.id || asked.has(id)) continue;
      asked.add(id);
      if (!fresh.length) queueMicrotask(askTogether);
      fresh.push(id);
    }
  }, [ids.join()]);
}

/** @param {{first_name: string, last_name: string}} person */
export const fullName = ({ first_name, last_name }) => `${first_name} ${last_name}`.trim();

/** The name, or a placeholder until it is known. A component that reads it updates with it.
 * @param {string} id */
export function nameOf(id) {
  if (id === me.value?.id) return "You";
  const found = names.value.get(id);
  if (found === undefined) return "…";
  return found ? fullName(found) : "Someone";
}

/** @param {{id: string}} props */
export function Name({ id }) {
  useNames([id]);
  return html`<span class="name">${nameOf(id)}</span>`;
}
