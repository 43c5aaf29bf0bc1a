/** Names of people and what consultants offer, asked for once each. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { me, parley } from "./state.js";

/** @import { Consultant } from "./contracts.js" */

/** Consultants by id; null for people who are none. */
const known = signal(/** @type {ReadonlyMap<string, Consultant | null>} */ (new Map()));
/** @type {Map<string, Promise<Consultant | null>>} */
const asked = new Map();

/** @param {Consultant | null} consultant @param {string} id */
function learn(id, consultant) {
  known.value = new Map(known.value).set(id, consultant);
  return consultant;
}

/** @param {string} id */
export function consultant(id) {
  const asking = asked.get(id) ?? parley.call("/consultants", "get", { consultant_id: id })
    .then((found) => learn(id, found), (refusal) => {
      // Only a plain no is remembered; a lost answer is asked for again.
      if (refusal.code !== "NOT_FOUND") asked.delete(id);
      return learn(id, null);
    });
  asked.set(id, asking);
  return asking;
}

/** @param {{first_name: string, last_name: string}} person */
export const fullName = ({ first_name, last_name }) => `${first_name} ${last_name}`.trim();

/** The name as far as it is known; reading it in a component keeps it current.
 * @param {string} id */
export function nameOf(id) {
  if (id === me.value?.id) return "You";
  const found = known.value.get(id);
  return found ? fullName(found) : `Student ${id.slice(-4)}`;
}

/** @type {Set<string>} Topics that were looked for once more. */
const missed = new Set();

/** A topic may be newer than what is known of its consultant.
 * @param {string} consultant_id @param {string} topic_id */
export function useTopicName(consultant_id, topic_id) {
  const person = known.value.get(consultant_id);
  const topic = person?.topics?.find(({ id }) => id === topic_id);
  useEffect(() => {
    if (topic || missed.has(topic_id)) return;
    if (person) {
      missed.add(topic_id);
      asked.delete(consultant_id);
    }
    void consultant(consultant_id);
  }, [person, topic_id]);
  return topic?.name ?? "A consultation";
}

/** @param {(string | null | undefined)[]} ids */
export function useConsultants(ids) {
  const wanted = ids.filter((id) => id && id !== me.value?.id);
  useEffect(() => {
    for (const id of wanted) void consultant(/** @type {string} */ (id));
  }, [wanted.join()]);
}

/** @param {{id: string}} props */
export function Name({ id }) {
  useConsultants([id]);
  return html`<span class="name">${nameOf(id)}</span>`;
}
