/**
 * Keeps the addresses of files valid for as long as the files are shown.
 *
 * Invariants:
 * - An address is renewed before it expires, and at once after it failed. One command renews all
 *   that are due at about the same time; at most one command is under way.
 * - Only files that somebody follows are renewed. Without followers, nothing is kept and no timer
 *   runs.
 * - The lifetime is counted from the moment before the request, so neither a slow answer nor a
 *   wrong clock makes an expired address look valid.
 */

import { ParleyError } from "../parley/error.js";
import { parley } from "../state.js";

/**
 * @typedef {{url: string, thumbnail_url?: string | null, expires_in_s: number}} Address
 * @typedef {{links: Address | null, error: any}} State `error` without `links`: there is no file
 * @typedef {(ids: string[]) => Promise<Map<string, Address>>} Ask resolves to those that exist
 * @typedef {{state: State, followers: Set<(state: State) => void>, until: number, due: number,
 *   failures: number}} Entry times are in ms
 */

/** The part of its lifetime after which an address is renewed. */
const RENEWED_AT = 0.8;
/** Addresses that are due within this part of a lifetime are renewed together. */
const TOGETHER = 0.1;
/** An address is not used in the last moments of its lifetime. */
const MARGIN_MS = 2_000;
const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

export class Links {
  #ask;
  #most;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Set<string>} */
  #wanted = new Set();
  /** @type {Promise<void> | null} */
  #flushing = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Ask} ask @param {number} [most] ids per request */
  constructor(ask, most = 50) {
    this.#ask = ask;
    this.#most = most;
  }

  /**
   * Calls `changed` with the state of a file, now and after each change, until `stop` is called.
   * @param {string} id @param {(state: State) => void} changed @returns {() => void} stop
   */
  follow(id, changed) {
    const entry = this.#entries.get(id) ?? this.#add(id);
    entry.followers.add(changed);
    changed(entry.state);
    return () => {
      entry.followers.delete(changed);
      if (entry.followers.size || this.#entries.get(id) !== entry) return;
      this.#entries.delete(id);
      this.#schedule();
    };
  }

  /** Whether the address of a file can be used now. @param {string} id */
  isValid(id) {
    return Date.now() < (this.#entries.get(id)?.until ?? 0) - MARGIN_MS;
  }

  /** Renews the address of a followed file at once. Does not reject: the state has the error.
   * @param {string} id @returns {Promise<void>} */
  renew(id) {
    const entry = this.#entries.get(id);
    if (!entry) return Promise.resolve();
    entry.due = Infinity; // until the answer
    this.#wanted.add(id);
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = null));
    return this.#flushing;
  }

  /** Renews what is due, for example after the device was asleep. */
  wake() {
    const now = Date.now();
    for (const [id, { due, state }] of this.#entries) {
      const slack = TOGETHER * 1_000 * (state.links?.expires_in_s ?? 0);
      if (due <= now + slack) void this.renew(id);
    }
    this.#schedule();
  }

  /** @param {string} id @returns {Entry} */
  #add(id) {
    const state = { links: null, error: null };
    const entry = { state, followers: new Set(), until: 0, due: Infinity, failures: 0 };
    this.#entries.set(id, entry);
    void this.renew(id);
    return entry;
  }

  async #flush() {
    await null; // all files of a page are followed before the first request
    while (this.#wanted.size) {
      const ids = [...this.#wanted].slice(0, this.#most);
      for (const id of ids) this.#wanted.delete(id);
      await this.#request(ids.filter((id) => this.#entries.has(id)));
    }
    this.#schedule();
  }

  /** @param {string[]} ids */
  async #request(ids) {
    if (!ids.length) return;
    const began = Date.now();
    try {
      const found = await this.#ask(ids);
      for (const id of ids) this.#receive(id, found.get(id), began);
    } catch (error) {
      for (const id of ids) this.#fail(id, error);
    }
  }

  /** @param {string} id @param {Address | undefined} links @param {number} began */
  #receive(id, links, began) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const lifetime_ms = (links?.expires_in_s ?? 0) * 1_000;
    entry.until = began + lifetime_ms;
    entry.due = links ? began + RENEWED_AT * lifetime_ms : Infinity;
    entry.failures = 0;
    this.#publish(entry, links ? { links, error: null }
      : { links: null, error: new ParleyError("NOT_FOUND") });
  }

  /** Keeps an address that may still be valid, and tries again later. @param {string} id
   * @param {any} error */
  #fail(id, error) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const pause_ms = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** entry.failures++);
    entry.due = entry.state.links ? Date.now() + pause_ms : Infinity;
    this.#publish(entry, { ...entry.state, error });
  }

  /** @param {Entry} entry @param {State} state */
  #publish(entry, state) {
    entry.state = state;
    for (const changed of entry.followers) changed(state);
  }

  #schedule() {
    clearTimeout(this.#timer);
    const due = Math.min(...[...this.#entries.values()].map((entry) => entry.due));
    if (due === Infinity) return;
    this.#timer = setTimeout(() => this.wake(), Math.max(0, due - Date.now()));
  }
}

/** The files of messages, by the ids of the messages. */
export const messageLinks = new Links(async (message_ids) => {
  const { media } = await parley.call("/chat", "media_links", { message_ids });
  return new Map(media.map((one) => [one.message_id, one]));
});

/** Makes `links` renew what became due while the page was hidden, offline or asleep.
 * @param {Links} links */
export function renewOnReturn(links) {
  for (const event of ["focus", "online", "pageshow"]) {
    globalThis.addEventListener?.(event, () => links.wake());
  }
  globalThis.document?.addEventListener("visibilitychange", () => links.wake());
}

renewOnReturn(messageLinks);
