/** Users' presence: watched while it is shown, and updated by ephemeral events. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { own } from "../parley/own.js";
import { me, myId, parley } from "../state.js";

/** @import { Commands } from "../contracts.js" */
/** @typedef {Commands["/presence"]["watch"]["data"]["states"][string]} PresenceState */

const states = signal(/** @type {Record<string, PresenceState>} */ ({}));
/** @type {Map<string, number>} How many components show each user. */
const looks = new Map();
/** @type {Set<string>} */
let fresh = new Set();

/** @param {string} id @param {Partial<PresenceState>} change */
function note(id, change) {
  const before = own(states.value, id) ?? { online: false, status: "active", last_seen_at: null };
  states.value = { ...states.value, [id]: { ...before, ...change } };
}

parley.on("watched", ({ namespace, data }) => {
  if (namespace === "/presence") states.value = { ...states.value, ...data.states };
});
parley.on("/presence", "USER_ONLINE", ({ user_id }) => note(user_id, { online: true }));
parley.on("/presence", "USER_OFFLINE", ({ user_id, at }) =>
  note(user_id, { online: false, last_seen_at: at }));
parley.on("/presence", "status_changed", ({ user_id, status }) => note(user_id, { status }));
parley.on("signed_out", () => (states.value = {}));

/** Watches all people on a page with one command. */
function watchTogether() {
  const user_ids = [...fresh].filter((id) => looks.has(id));
  fresh = new Set();
  if (user_ids.length) parley.call("/presence", "watch", { user_ids }).catch(() => {});
}

/** @param {string} id */
function look(id) {
  const count = looks.get(id) ?? 0;
  looks.set(id, count + 1);
  if (count) return;
  if (!fresh.size) queueMicrotask(watchTogether);
  fresh.add(id);
}

/** @param {string} id */
function lookAway(id) {
  const left = (looks.get(id) ?? 1) - 1;
  if (left) return looks.set(id, left);
  looks.delete(id);
  return me.value && parley.call("/presence", "unwatch", { user_ids: [id] }).catch(() => {});
}

/** A user's presence, watched while the component is shown; undefined until it is known.
 * @param {string | null} id */
export function usePresence(id) {
  useEffect(() => {
    if (!id) return undefined;
    look(id);
    return () => void lookAway(id);
  }, [id]);
  return id ? own(states.value, id) : undefined;
}

/** @param {PresenceState["status"]} status */
export async function setStatus(status) {
  await parley.call("/presence", "set_status", { status });
  note(myId(), { status });
}

const TITLES = { active: "Online", away: "Away", busy: "Busy" };

/** @param {{id: string}} props */
export function Dot({ id }) {
  const seen = me.value && id !== me.value.id;
  const state = usePresence(seen ? id : null);
  if (!seen) return null;
  const title = state?.online ? TITLES[state.status] : "Offline";
  return html`<span class=${`dot ${title.toLowerCase()}`} role="img" aria-label=${title}
    title=${title} data-test="presence"></span>`;
}
