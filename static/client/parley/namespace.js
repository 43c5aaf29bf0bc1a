/**
 * The socket of one namespace on the shared connection. It connects with a fresh token and the last
 * sequence numbers, retries after a temporary refusal, and checks the number of each event.
 */

import { ParleyError } from "./error.js";
import { Streams } from "./streams.js";

/** @import { Manager, Socket } from "socket.io-client" */
/** @typedef {{room?: string, seq?: number, id?: string, at?: string}} Meta */
/**
 * @typedef {object} Hooks
 * @property {(namespace: string) => Promise<string | null>} token
 * @property {(namespace: string, code: string) => boolean} refused whether to try again
 * @property {(namespace: string, event: string, data: any, meta: Meta) => void} heard
 * @property {(namespace: string, room: string, seq: number) => void} unrecovered
 * @property {(namespace: string, connected: boolean) => void} changed
 * @property {(namespace: string, room: string) => boolean} watched
 */
/**
 * @typedef {object} Waiter
 * @property {(socket: Socket) => void} resolve
 * @property {(error: ParleyError) => void} reject
 */

const RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;

/** Exponential backoff with jitter, so that clients do not all reconnect at the same time.
 * @param {number} attempt */
export const backoff_ms = (attempt) =>
  Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** attempt) * (0.5 + Math.random() / 2);

export class Namespace {
  streams = new Streams();
  /** @type {Socket} */
  #socket;
  #name;
  #hooks;
  #wanted = false;
  #refusals = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {Set<Waiter>} */
  #waiters = new Set();
  #refusal = "NO_ANSWER";

  /**
   * @param {string} name
   * @param {Manager} manager
   * @param {Hooks} hooks
   */
  constructor(name, manager, hooks) {
    this.#name = name;
    this.#hooks = hooks;
    this.#socket = manager.socket(name, { auth: (tell) => void this.#introduce(manager, tell) });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("connect_error", (error) => this.#refused(error));
    this.#socket.on("disconnect", () => this.#disconnected());
    this.#socket.onAny((event, data, meta) => this.#hear(event, data, meta));
  }

  get connected() {
    return this.#socket.connected;
  }

  open() {
    this.#wanted = true;
    if (this.#socket.active || this.#retry) return;
    this.#socket.connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#refusals = 0;
    this.#socket.disconnect();
  }

  /** @param {ParleyError} error */
  giveUp(error) {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /**
   * @param {number} wait_ms
   * @returns {Promise<Socket>} the socket once it is connected
   */
  whenConnected(wait_ms) {
    if (this.#socket.connected) return Promise.resolve(this.#socket);
    this.open();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new ParleyError(this.#refusal));
      }, wait_ms);
      const waiter = {
        resolve: (/** @type {Socket} */ socket) => (clearTimeout(timer), resolve(socket)),
        reject: (/** @type {ParleyError} */ error) => (clearTimeout(timer), reject(error)),
      };
      this.#waiters.add(waiter);
    });
  }

  /**
   * @param {Manager} manager
   * @param {(auth: object) => void} tell
   */
  async #introduce(manager, tell) {
    const engine = manager.engine;
    const token = await this.#hooks.token(this.#name);
    // The connection may have been replaced meanwhile; the new one sends its own `auth`.
    if (manager.engine !== engine || !this.#socket.active) return;
    tell({ ...(token && { token }), ...this.streams.since() });
  }

  #connected() {
    this.#refusals = 0;
    this.#refusal = "NO_ANSWER";
    this.#hooks.changed(this.#name, true);
    for (const waiter of this.#waiters) waiter.resolve(this.#socket);
    this.#waiters.clear();
  }

  /** @param {Error & {data?: {code?: string, retry_after_s?: number}}} error */
  #refused(error) {
    // If the socket is active, the connection itself failed, and it reconnects automatically.
    if (this.#socket.active) return;
    const code = error.data?.code ?? "UNAVAILABLE";
    if (!this.#hooks.refused(this.#name, code)) {
      this.#wanted = false;
      return this.giveUp(new ParleyError(code));
    }
    this.#refusal = code;
    const soon = code.startsWith("TOKEN_") && !this.#refusals;
    this.#again(soon, (error.data?.retry_after_s ?? 0) * 1000);
  }

  #disconnected() {
    this.#hooks.changed(this.#name, false);
    // Socket.IO does not reconnect after the server closed the socket.
    if (!this.#socket.active) this.#again();
  }

  /**
   * @param {boolean} [soon] retry at once, because a new token may help
   * @param {number} [at_least_ms]
   */
  #again(soon = false, at_least_ms = 0) {
    // The socket may be connecting already, if a user signed in after the refusal.
    if (!this.#wanted || this.#socket.active) return;
    const pause_ms = backoff_ms(this.#refusals++);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#socket.connect();
    }, soon ? 0 : Math.max(at_least_ms, pause_ms));
  }

  /**
   * @param {string} event
   * @param {any} data
   * @param {Meta | null} [meta]
   */
  #hear(event, data, meta) {
    if (event === "synced") return this.#sync(data);
    const { room, seq } = meta ?? {};
    if (room !== undefined && seq !== undefined) {
      const order = this.streams.take(room, seq);
      if (order === "repeat") return;
      if (order === "gap") this.#hooks.unrecovered(this.#name, room, seq);
    }
    this.#hooks.heard(this.#name, event, data, meta ?? {});
  }

  /** @param {import("./streams.js").Synced} synced */
  #sync(synced) {
    const watched = (/** @type {string} */ room) => this.#hooks.watched(this.#name, room);
    for (const { room, seq } of this.streams.sync(synced, watched)) {
      this.#hooks.unrecovered(this.#name, room, seq);
    }
  }
}
