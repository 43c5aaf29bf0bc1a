/** What the client knows about the commands besides their types: which change, repeat, watch. */

import { TAKE_A_REQUEST_ID, VISITED } from "./declared.js";
import { own } from "./own.js";

/** Changing commands that the `client_id` of their payload keeps from being done twice. */
/** @type {Record<string, readonly string[]>} */
const BY_CLIENT_ID = { "/chat": ["send"] };

/**
 * The commands that change something and so carry a `request_id`. `/signup` and `/auth` take none;
 * whispers and watches change nothing.
 * @type {Record<string, readonly string[]>}
 */
export const CHANGING = Object.fromEntries(
  Object.entries(TAKE_A_REQUEST_ID).map(([namespace, names]) =>
    [namespace, names.filter((name) => !lists(BY_CLIENT_ID, namespace, name))]));

/**
 * Commands without a `request_id` that must not be sent twice: a second mail, a second session,
 * a spent pincode. A lost answer to one of these is the caller's to judge.
 * @type {Record<string, readonly string[]>}
 */
export const ONLY_ONCE = {
  "/signup": ["start", "complete"],
  "/auth": ["login", "oauth", "forgot", "reset"],
  "/profile": ["send_proof", "prove"],
};

/**
 * What the commands that wait may themselves be waiting for: a full queue must not keep it out.
 * @type {Record<string, readonly string[]>}
 */
export const UNQUEUED = { "/auth": ["refresh"] };

/** Whispers: late ones are worth nothing, so they are never kept for a better connection. */
/** @type {Record<string, readonly string[]>} */
export const WHISPERED = { "/chat": ["typing"] };

/** Namespaces that take no token at all, and those that serve visitors too. */
export const WITHOUT_TOKEN = ["/signup", "/auth"];
export const FOR_VISITORS = VISITED.filter((namespace) => !WITHOUT_TOKEN.includes(namespace));

/**
 * What `watch` joins, by namespace; null where what is watched has no stream. A watch lives as
 * long as its socket, so it is made again after each reconnect.
 * @type {Record<string, ((payload: any) => string) | null>}
 */
export const WATCHED_ROOM = {
  "/consultants": ({ consultant_id }) => `consultant:${consultant_id}`,
  "/availability": ({ consultant_id }) => `consultant:${consultant_id}`,
  "/presence": null,
};

/**
 * @param {Record<string, readonly string[]>} table
 * @param {string} namespace
 * @param {string} command
 */
export function lists(table, namespace, command) {
  return !!own(table, namespace)?.includes(command);
}
