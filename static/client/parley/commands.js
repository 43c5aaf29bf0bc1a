/** What the client knows about commands, besides their types and `declared.js`. */

import { TAKE_A_REQUEST_ID, VISITED, WITHOUT_TOKEN } from "./declared.js";
import { own } from "./own.js";

/** Commands that the server runs only once because of the `client_id` in their payload. */
/** @type {Record<string, readonly string[]>} */
const BY_CLIENT_ID = { "/chat": ["send"] };

/**
 * The commands to which the client adds a `request_id`.
 * @type {Record<string, readonly string[]>}
 */
export const CHANGING = Object.fromEntries(
  Object.entries(TAKE_A_REQUEST_ID).map(([namespace, names]) =>
    [namespace, names.filter((name) => !lists(BY_CLIENT_ID, namespace, name))]));

/**
 * Commands that a full queue does not refuse, because queued commands may wait for their answer.
 * @type {Record<string, readonly string[]>}
 */
export const UNQUEUED = { "/auth": ["refresh"] };

/** Namespaces that serve visitors, and signed-in users with their token. */
export const FOR_VISITORS = VISITED.filter((namespace) => !WITHOUT_TOKEN.includes(namespace));

/**
 * @param {Record<string, readonly string[]>} table
 * @param {string} namespace
 * @param {string} command
 */
export function lists(table, namespace, command) {
  return !!own(table, namespace)?.includes(command);
}
