/**
 * The current watches. A watch lasts as long as its socket, so the client renews it after a
 * reconnect.
 */

import { WATCHED } from "./declared.js";
import { own } from "./own.js";

/** @typedef {{namespace: string, payload: any}} Watch */

export class Watches {
  /** @type {Map<string, Watch>} */
  #kept = new Map();

  /**
   * Records a `watch` or `unwatch` command, and ignores other commands.
   * @param {string} namespace
   * @param {string} command
   * @param {any} payload
   */
  note(namespace, command, payload) {
    if (!Object.hasOwn(WATCHED, namespace)) return;
    for (const one of each(payload)) {
      const key = `${namespace} ${JSON.stringify(one)}`;
      if (command === "watch") this.#kept.set(key, { namespace, payload: one });
      if (command === "unwatch") this.#kept.delete(key);
    }
  }

  /** @param {string} namespace */
  of(namespace) {
    const watches = [...this.#kept.values()].filter((watch) => watch.namespace === namespace);
    return namespace === "/presence" ? together(watches) : watches;
  }

  /**
   * @param {string} namespace
   * @param {string} room
   */
  has(namespace, room) {
    return this.of(namespace).some(({ payload }) => roomOf(namespace, payload) === room);
  }

  /** @param {Watch} watch */
  drop({ namespace, payload }) {
    this.note(namespace, "unwatch", payload);
  }

  clear() {
    this.#kept.clear();
  }
}

/** A watch for each user of a payload, because users can be unwatched one by one.
 * @param {any} payload */
function each(payload) {
  if (!payload.user_ids) return [payload];
  return payload.user_ids.map((/** @type {string} */ id) => ({ user_ids: [id] }));
}

/** @param {Watch[]} watches */
function together(watches) {
  if (!watches.length) return [];
  const user_ids = watches.flatMap(({ payload }) => payload.user_ids);
  return [{ namespace: "/presence", payload: { user_ids } }];
}

/**
 * The room that a watch joins; null when it joins none.
 * @param {string} namespace
 * @param {any} payload
 */
export const roomOf = (namespace, payload) =>
  own(WATCHED, namespace)?.replace(/\{(\w+)\}/, (_, field) => payload[field]) ?? null;
