/** The client's session: stored, shared between tabs, and refreshed early by one tab at a time. */

import { Devices } from "./devices.js";

/** @import { Session, User } from "../contracts.js" */

/**
 * @typedef {object} Storage
 * @property {(key: string) => string | null} getItem
 * @property {(key: string, value: string) => void} setItem
 * @property {(key: string) => void} removeItem
 */
/**
 * @typedef {object} Kept
 * @property {string} session_id made by the client; a refresh of the tokens does not change it
 * @property {string} access_token
 * @property {string} refresh_token
 * @property {number} refresh_at_ms when to refresh the access token, in Unix time
 * @property {User} user
 */

export const KEY = "parley.session";
const EARLY_SHARE = 0.2;
const EARLY_MS = 60_000;

/** @returns {Storage} */
export function inMemory() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/**
 * The storage if it works, otherwise one in memory for the life of the page. A browser that forbids
 * storage, or has no space left, throws on access or on writing.
 * @param {() => Storage | undefined} find
 * @returns {Storage}
 */
export function usable(find) {
  try {
    const storage = /** @type {Storage} */ (find());
    storage.setItem(`${KEY}.trial`, "");
    storage.removeItem(`${KEY}.trial`);
    return storage;
  } catch {
    return inMemory();
  }
}

/**
 * Runs `work` in one tab at a time. Refresh tokens rotate, so two concurrent refreshes would look
 * like a stolen token.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
function oneTabAtATime(work) {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request(KEY, work) : work();
}

export class Tokens {
  #storage;
  #exchange;
  /** @type {Promise<string | null> | null} */
  #inFlight = null;

  /**
   * @param {Storage} storage
   * @param {(refresh_token: string) => Promise<Session>} exchange
   */
  constructor(storage, exchange) {
    this.#storage = storage;
    this.#exchange = exchange;
    this.devices = new Devices(storage);
  }

  /** The stored session, read each time because another tab may have changed or deleted it.
   * @returns {Kept | null} */
  get kept() {
    try {
      return JSON.parse(this.#storage.getItem(KEY) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Session} session @param {string} session_id */
  keep(session, session_id) {
    const { access_token, access_expires_in_s, refresh_token, user } = session;
    const life_ms = access_expires_in_s * 1000;
    const refresh_at_ms = Date.now() + life_ms - Math.min(EARLY_MS, life_ms * EARLY_SHARE);
    this.#write({ session_id, access_token, refresh_token, refresh_at_ms, user });
    this.devices.keep(session);
  }

  drop() {
    this.#storage.removeItem(KEY);
  }

  /** Marks an access token that the server refused, so that the next use refreshes it.
   * @param {string | undefined} access_token */
  spoil(access_token) {
    const kept = this.kept;
    if (kept && kept.access_token === access_token) this.#write({ ...kept, refresh_at_ms: 0 });
  }

  /** @returns {Promise<string | null>} a valid access token; null when signed out */
  async fresh() {
    const kept = this.kept;
    if (!kept || Date.now() < kept.refresh_at_ms) return kept?.access_token ?? null;
    this.#inFlight ??= oneTabAtATime(() => this.#refresh()).finally(() => (this.#inFlight = null));
    return this.#inFlight;
  }

  async #refresh() {
    const kept = this.kept;
    if (!kept || Date.now() < kept.refresh_at_ms) return kept?.access_token ?? null;
    const session = await this.#exchange(kept.refresh_token);
    // The user may have signed out while the refresh was in progress: do not sign in again.
    if (this.kept?.refresh_token !== kept.refresh_token) return this.kept?.access_token ?? null;
    this.keep(session, kept.session_id);
    return session.access_token;
  }

  /** @param {Kept} kept */
  #write(kept) {
    this.#storage.setItem(KEY, JSON.stringify(kept));
  }
}
