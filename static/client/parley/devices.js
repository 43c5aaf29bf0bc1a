/** The tokens by which accounts know this device; they outlast the sessions that gave them. */

/** @import { Session } from "../contracts.js" */
/** @import { Storage } from "./tokens.js" */

const KEY = "parley.devices";
const ACCOUNTS_MAX = 20;

export class Devices {
  #storage;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Addresses and tokens, the account that was used last first. @returns {[string, string][]} */
  get #kept() {
    try {
      const kept = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  /** What to send along when this address signs in or asks for a pincode.
   * @param {string} email @returns {{device_token?: string}} */
  of(email) {
    const found = this.#kept.find(([address]) => address === email.trim().toLowerCase());
    return found ? { device_token: found[1] } : {};
  }

  /** The same where it is not known yet who signs in. @returns {{device_token?: string}} */
  latest() {
    const [found] = this.#kept;
    return found ? { device_token: found[1] } : {};
  }

  /** @param {Session} session */
  keep({ user, device_token }) {
    if (!device_token) return;
    const others = this.#kept.filter(([address]) => address !== user.email);
    const kept = [[user.email, device_token], ...others].slice(0, ACCOUNTS_MAX);
    this.#storage.setItem(KEY, JSON.stringify(kept));
  }
}
