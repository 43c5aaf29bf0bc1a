/** Decides which namespaces may connect, with which token, and what a refused connection means. */

import { FOR_VISITORS } from "./commands.js";
import { WITHOUT_TOKEN } from "./declared.js";

/** @import { Tokens } from "./tokens.js" */

/** Codes of refusals that do not concern the session. */
export const PASSING =
  ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL", "NO_ANSWER", "QUEUE_FULL", "CLOSED"];

export class Admission {
  #tokens;
  #signedIn;
  #signOut;
  /** @type {Map<string, string | null>} The token that each namespace last sent. */
  #shown = new Map();
  /** @type {Set<string>} Tokens refused since the server last accepted one. */
  #distrusted = new Set();

  /**
   * @param {Tokens} tokens
   * @param {() => boolean} signedIn
   * @param {(reason: string) => void} signOut
   */
  constructor(tokens, signedIn, signOut) {
    this.#tokens = tokens;
    this.#signedIn = signedIn;
    this.#signOut = signOut;
  }

  /** @param {string} namespace */
  mayEnter(namespace) {
    if (WITHOUT_TOKEN.includes(namespace) || FOR_VISITORS.includes(namespace)) return true;
    return this.#signedIn();
  }

  /** @param {string} namespace */
  async token(namespace) {
    if (WITHOUT_TOKEN.includes(namespace)) return null;
    const token = await this.#tokens.fresh().catch((error) => {
      if (!PASSING.includes(error.code)) this.#signOut(error.code);
      return this.#tokens.kept?.access_token ?? null;
    });
    this.#shown.set(namespace, token);
    return token;
  }

  /** @param {string} namespace */
  welcomed(namespace) {
    if (this.#shown.get(namespace)) this.#distrusted.clear();
  }

  /**
   * @param {string} namespace
   * @param {string} code
   * @returns {boolean} whether to try again
   */
  refused(namespace, code) {
    if (code === "SESSION_REVOKED") this.#signOut(code);
    else if (code.startsWith("TOKEN_")) this.#distrust(namespace, code);
    return this.mayEnter(namespace);
  }

  /** Forgets all tokens, before the next session. */
  forget() {
    this.#shown.clear();
    this.#distrusted.clear();
  }

  /**
   * Refreshes a refused token once. If the new token is refused too, the session is over.
   * @param {string} namespace
   * @param {string} code
   */
  #distrust(namespace, code) {
    const shown = this.#shown.get(namespace);
    if (!shown || shown !== this.#tokens.kept?.access_token) return;
    if (this.#distrusted.size && !this.#distrusted.has(shown)) return this.#signOut(code);
    this.#distrusted.add(shown);
    this.#tokens.spoil(shown);
  }
}
