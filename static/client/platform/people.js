/** What people are called, and what consultants offer: asked for once each. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { own } from "../parley/own.js";
import { me, parley } from "../state.js";

/** @import { Consultant, Person } from "../contracts.js" */

const TOGETHER = 200;

const names = signal(/** @type {ReadonlyMap<string, Person | null>} */ (new Map()));
/** @type {Set<string>} Whose names were asked for, or will be in a moment. */
const asked = new Set();
/** @type {string[]} */
let fresh = [];

/** A page shows many people at once: their names are asked for together. */
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
    // Whoever is shown next is asked for again.
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

/** The name as far as it is known; reading it in a component keeps it current.
 * @param {string} id */
export function nameOf(id) {
  if (id === me.value?.id) return "You";
  const found = names.value.get(id);
  if (found === undefined) return "…";
  return found ? fullName(found) : "Somebody";
}

/** @param {{id: string}} props */
export function Name({ id }) {
  useNames([id]);
  return html`<span class="name">${nameOf(id)}</span>`;
}

/** Consultants by id; null for people who are none. */
const known = signal(/** @type {ReadonlyMap<string, Consultant | null>} */ (new Map()));
/** @type {Map<string, {at_ms: number, looking: Promise<Consultant | null>}>} */
const looked = new Map();
/** For so long an answer serves all that a page shows; what is opened later asks again. */
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
      // Only a plain no is remembered; a lost answer is asked for again.
      looked.delete(id);
      return known.value.get(id) ?? null;
    });
  looked.set(id, { at_ms: Date.now(), looking });
  return looking;
}

/** @type {Set<string>} Topics that were looked for once more. */
const missed = new Set();

/** A topic may be newer than what is known of its consultant.
 * @param {string} consultant_id @param {string} topic_id */
export function useTopicName(consultant_id, topic_id) {
  const person = known.value.get(consultant_id);
  const topic = person?.topics?.find(({ id }) => id === topic_id);
  useEffect(() => void consultant(consultant_id), [consultant_id]);
  useEffect(() => {
    if (!person || topic || missed.has(topic_id)) return;
    missed.add(topic_id);
    looked.delete(consultant_id);
    void consultant(consultant_id);
  }, [person, topic_id]);
  return topic?.name ?? "A consultation";
}
