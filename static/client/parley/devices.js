/** Device tokens, by which accounts recognize this device; they outlive their sessions. */

/** @import { Session } from "../contracts.js" */
/** @import { Storage } from "./tokens.js" */

const KEY = "parley.devices";
const ACCOUNTS_MAX = 20;

/** The form in which the server answers this address. @param {string} email */
function canonical(email) {
  const [, local, host] = /^(.*)@(.*)$/s.exec(email.trim().normalize("NFKC")) ?? [];
  const url = `http://${host}`;
  return `${local}@${URL.canParse(url) ? new URL(url).hostname : host}`.toLowerCase();
}

export class Devices {
  #storage;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Addresses and tokens, the most recently used account first. @returns {[string, string][]} */
  get #kept() {
    try {
      const kept = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  /** The device token to send when this address signs in or requests a pincode.
   * @param {string} email @returns {{device_token?: string}} */
  of(email) {
    const found = this.#kept.find(([address]) => address === canonical(email));
    return found ? { device_token: found[1] } : {};
  }

  /** The latest device token, for a sign-in without a known address.
   * @returns {{device_token?: string}} */
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
