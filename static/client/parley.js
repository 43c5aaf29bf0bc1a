/**
 * The client library of Parley: one connection, typed commands that survive reconnects, events in
 * order and without repetition, and a session that renews itself. Runs in browsers and in Node 18
 * and later.
 */

import { Manager } from "socket.io-client";
import { Admission, PASSING } from "./parley/admission.js";
import { askUntilAnswered } from "./parley/asking.js";
import { CHANGING, UNQUEUED, lists } from "./parley/commands.js";
import { EPHEMERAL, ONLY_ONCE, WITHOUT_TOKEN } from "./parley/declared.js";
import { ParleyError } from "./parley/error.js";
import { Listeners } from "./parley/listeners.js";
import { Namespace } from "./parley/namespace.js";
import { KEY, Tokens, usable } from "./parley/tokens.js";
import { Uploads } from "./parley/uploads.js";
import { Watches, roomOf } from "./parley/watches.js";

export { CHANGING, ParleyError };

/** @import { Session, User } from "./contracts.js" */
/** @import * as Typed from "./parley/typing.js" */
/**
 * @typedef {object} Options
 * @property {import("./parley/tokens.js").Storage} [storage] where the session is kept
 * @property {Partial<import("socket.io-client").ManagerOptions>} [io] for the connection
 * @property {number} [deadline_ms] how long a command waits for its answer, over all attempts
 */

const DEADLINE_MS = 30_000;
const MAX_WAITING = 200;

/** A unique id, not a secret. `randomUUID` does not exist on pages without TLS. */
export const newId = () =>
  globalThis.crypto?.randomUUID?.() ??
  Array.from({ length: 4 }, () => Math.random().toString(36).slice(2, 10)).join("-");

const defaultStorage = () => usable(() => globalThis.localStorage);

export class Parley {
  #manager;
  #tokens;
  #admission;
  #deadline_ms;
  #listeners = new Listeners();
  #watches = new Watches();
  #uploads;
  /** @type {Map<string, Namespace>} */
  #namespaces = new Map();
  #waiting = 0;
  #closed = false;
  /** @type {string | undefined} The session that the connections belong to. */
  #session;
  /** @type {string | null} */
  #actor;
  /** Reacts to another tab's changes. A null key means that it cleared the storage.
   * @type {(event: {key: string | null}) => void} */
  #otherTab = ({ key }) => void ((key === KEY || key === null) && this.#sessionChanged());

  /**
   * @param {string} url
   * @param {Options} [options]
   */
  constructor(url, { storage = defaultStorage(), io = {}, deadline_ms = DEADLINE_MS } = {}) {
    this.#deadline_ms = deadline_ms;
    this.#tokens = new Tokens(storage, (refresh_token) =>
      this.call("/auth", "refresh", { refresh_token }));
    this.#admission = new Admission(this.#tokens,
      () => this.#actor !== null && this.#tokens.kept !== null,
      (reason) => this.#signOut(reason));
    this.#uploads = new Uploads(url, () => this.token());
    this.#session = this.#tokens.kept?.session_id;
    this.#actor = this.user?.id ?? null;
    this.#manager = new Manager(url, {
      autoConnect: false, reconnectionDelay: 300, reconnectionDelayMax: 5_000,
      transports: ["websocket", "polling"], tryAllTransports: true, ...io,
    });
    globalThis.addEventListener?.("storage", /** @type {any} */ (this.#otherTab));
  }

  /** @returns {User | null} as of the last session; null for a visitor */
  get user() {
    return this.#tokens.kept?.user ?? null;
  }

  /** An access token for requests outside the socket. @returns {Promise<string | null>} */
  token() {
    return this.#tokens.fresh();
  }

  /** Uploads a file; resolves to the upload once it is ready.
   * @param {Blob & {name?: string}} file
   * @param {import("./parley/uploads.js").UploadOptions} [options] */
  upload(file, options) {
    return this.#uploads.bring(file, options);
  }

  /** The URL under which this client can fetch a file. @param {string} url */
  address(url) {
    return this.#uploads.address(url);
  }

  /** @param {string} email */
  startSignup(email) {
    return this.call("/signup", "start", { email });
  }

  /** @param {Typed.Payload<"/signup", "complete">} form */
  async completeSignup(form) {
    return this.#signIn(await this.call("/signup", "complete", form));
  }

  /**
   * @param {string} email
   * @param {string} password
   */
  async login(email, password) {
    const known = this.#tokens.devices.of(email);
    return this.#signIn(await this.call("/auth", "login", { email, password, ...known }));
  }

  /**
   * Signs in with the ticket from a provider's callback (see `parley/oauth.js`).
   * @param {Typed.Payload<"/auth", "oauth">} proof
   */
  async signInByTicket(proof) {
    const known = this.#tokens.devices.latest();
    return this.#signIn(await this.call("/auth", "oauth", { ...known, ...proof }));
  }

  /** Requests a pincode; `resetPassword` needs its ticket. @param {string} email */
  forgotPassword(email) {
    return this.call("/auth", "forgot", { email, ...this.#tokens.devices.of(email) });
  }

  /** Sets a new password with the pincode of `forgotPassword`, and signs in.
   * @param {Typed.Payload<"/auth", "reset">} form */
  async resetPassword(form) {
    const known = this.#tokens.devices.of(form.email);
    return this.#signIn(await this.call("/auth", "reset", { ...known, ...form }));
  }

  /** Signs out locally at once, and ends the session on the server if it can be reached. */
  async logout() {
    const refresh_token = this.#tokens.kept?.refresh_token;
    if (!refresh_token) return;
    this.#tokens.drop();
    this.#sessionChanged();
    await this.call("/auth", "logout", { refresh_token }).catch(() => {});
  }

  /**
   * Sends a command and returns the data of its answer, or throws a ParleyError. Changing commands
   * carry a `request_id`, so that a retry after a lost answer does not change anything twice.
   * @template {Typed.Namespace} N
   * @template {Typed.Command<N>} C
   * @param {N} namespace
   * @param {C} command
   * @param {Typed.Payload<N, C>} payload
   * @param {{deadline_ms?: number, request_id?: string}} [options]
   * @returns {Promise<Typed.Data<N, C>>}
   */
  async call(namespace, command, payload, options = {}) {
    if (this.#closed) throw new ParleyError("CLOSED");
    const to = this.#namespace(namespace);
    if (!this.#admission.mayEnter(namespace)) throw new ParleyError("SIGNED_OUT");
    // A late ephemeral command is useless, so it does not wait for the next connection.
    if (lists(EPHEMERAL, namespace, command) && !to.connected) return /** @type {any} */ ({});
    const full = this.#waiting >= MAX_WAITING && !lists(UNQUEUED, namespace, command);
    if (full) throw new ParleyError("QUEUE_FULL");
    this.#waiting++;
    try {
      const data = await askUntilAnswered(to, this.#ask(namespace, command, payload, options));
      this.#noteWatch(to, namespace, command, payload, data);
      return data;
    } finally {
      this.#waiting--;
    }
  }

  /**
   * Subscribes to an event of a namespace, or to one of the library's own (`signed_in`,
   * `signed_out`, `connection`, `unrecovered`, `watched`).
   * @template {Typed.Speaking} N
   * @template {Typed.EventName<N>} E
   * @overload
   * @param {N} namespace
   * @param {E} event
   * @param {(data: Typed.Heard<N, E>, meta: Typed.Meta) => void} listener
   * @returns {() => void} unsubscribes
   */
  /**
   * @template {Typed.OwnEvent} E
   * @overload
   * @param {E} event
   * @param {(said: Typed.OwnEvents[E]) => void} listener
   * @returns {() => void}
   */
  /** @param {any[]} args */
  on(...args) {
    const listener = args.pop();
    const event = args.join(" ");
    this.#listeners.add(event, listener);
    if (args.length === 2) this.#listenIn(args[0]);
    return () => this.#listeners.remove(event, listener);
  }

  /**
   * Unsubscribes; takes the same arguments as `on`.
   * @param {...any} args
   */
  off(...args) {
    const listener = args.pop();
    this.#listeners.remove(args.join(" "), listener);
  }

  /**
   * The sequence number of the last event received in a room.
   * @param {string} namespace
   * @param {string} room
   */
  seq(namespace, room) {
    return this.#namespaces.get(namespace)?.streams.last(room);
  }

  /**
   * Sets the sequence number of a room from a snapshot, so that a gap right after it is detected.
   * @param {string} namespace
   * @param {string} room
   * @param {number} seq
   */
  begin(namespace, room, seq) {
    this.#namespace(namespace).streams.begin(room, seq);
  }

  /** Closes the connection for good; the session stays stored for the next client. */
  close() {
    this.#closed = true;
    globalThis.removeEventListener?.("storage", /** @type {any} */ (this.#otherTab));
    for (const namespace of this.#namespaces.values()) {
      namespace.giveUp(new ParleyError("CLOSED"));
      namespace.close();
    }
  }

  /**
   * @param {string} namespace
   * @param {string} command
   * @param {any} payload
   * @param {{deadline_ms?: number, request_id?: string}} options
   */
  #ask(namespace, command, payload, { deadline_ms = this.#deadline_ms, request_id = newId() }) {
    const actor = this.#actor;
    const check = () => {
      if (this.#closed) throw new ParleyError("CLOSED");
      if (actor && actor !== this.#actor && !WITHOUT_TOKEN.includes(namespace)) {
        throw new ParleyError("SIGNED_OUT");
      }
    };
    return {
      command, check,
      payload: lists(CHANGING, namespace, command) ? { request_id, ...payload } : payload,
      repeatable: !lists(ONLY_ONCE, namespace, command),
      until_ms: Date.now() + deadline_ms,
    };
  }

  /** @param {string} name */
  #namespace(name) {
    const known = this.#namespaces.get(name);
    if (known) return known;
    const namespace = new Namespace(name, this.#manager, {
      token: (of) => this.#admission.token(of),
      refused: (of, code) => this.#admission.refused(of, code),
      heard: (of, event, data, meta) => this.#heard(of, event, data, meta),
      unrecovered: (of, room, seq) => this.#unrecovered(of, room, seq),
      changed: (of, connected) => this.#changed(of, connected),
      watched: (of, room) => this.#watches.has(of, room),
    });
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  /** @param {string} name */
  #listenIn(name) {
    const namespace = this.#namespace(name);
    if (!this.#closed && this.#admission.mayEnter(name)) namespace.open();
  }

  /**
   * @param {string} namespace
   * @param {string} event
   * @param {any} data
   * @param {Typed.Meta} meta
   */
  #heard(namespace, event, data, meta) {
    if (event === "session_ended") return this.#signOut(data?.reason ?? "SESSION_REVOKED");
    this.#listeners.tell(`${namespace} ${event}`, data, meta);
  }

  /**
   * @param {string} namespace
   * @param {string} room
   * @param {number} seq
   */
  #unrecovered(namespace, room, seq) {
    this.#listeners.tell("unrecovered", { namespace, room, seq });
  }

  /**
   * @param {string} namespace
   * @param {boolean} connected
   */
  #changed(namespace, connected) {
    if (connected) this.#admission.welcomed(namespace);
    this.#listeners.tell("connection", { namespace, connected });
    if (!connected) return;
    for (const watch of this.#watches.of(namespace)) void this.#watchAgain(watch);
  }

  /** @param {import("./parley/watches.js").Watch} watch */
  async #watchAgain(watch) {
    const { namespace, payload } = watch;
    try {
      await this.call(/** @type {any} */ (namespace), "watch", payload);
    } catch (error) {
      const { code } = /** @type {ParleyError} */ (error);
      if (!PASSING.includes(code)) this.#watches.drop(watch);
    }
  }

  /**
   * @param {Namespace} to
   * @param {string} namespace
   * @param {string} command
   * @param {any} payload
   * @param {any} data
   */
  #noteWatch(to, namespace, command, payload, data) {
    this.#watches.note(namespace, command, payload);
    if (command !== "watch") return;
    const room = roomOf(namespace, payload);
    if (room && to.streams.reach(room, data.seq)) this.#unrecovered(namespace, room, data.seq);
    this.#listeners.tell("watched", { namespace, payload, data });
  }

  /** @param {Session} session */
  #signIn(session) {
    this.#tokens.keep(session, newId());
    this.#sessionChanged();
    return session;
  }

  /**
   * Ends this tab's session. A new session that another tab has begun meanwhile stays.
   * @param {string} reason
   */
  #signOut(reason) {
    if (this.#tokens.kept?.session_id === this.#session) this.#tokens.drop();
    this.#sessionChanged(reason);
  }

  /**
   * Applies the stored session, which any tab may have changed. A connection belongs to one
   * session, so a new session needs new connections. A new user does not inherit any state.
   */
  #sessionChanged(reason = "LOGGED_OUT") {
    const kept = this.#tokens.kept;
    if (kept?.session_id === this.#session) return;
    this.#session = kept?.session_id;
    this.#admission.forget();
    for (const namespace of this.#namespaces.values()) namespace.close();
    if (this.#actor && this.#actor !== kept?.user.id) this.#sayGoodbye(reason);
    if (kept) this.#actor = kept.user.id;
    for (const name of this.#namespaces.keys()) this.#listenIn(name);
    if (kept) this.#listeners.tell("signed_in", { user: kept.user });
  }

  /** Clears the user's state and fires `signed_out`. Nobody is signed in while its listeners run,
   * so they cannot act for the next user.
   * @param {string} reason */
  #sayGoodbye(reason) {
    this.#actor = null;
    this.#watches.clear();
    for (const [name, namespace] of this.#namespaces) {
      namespace.streams.forget();
      if (!WITHOUT_TOKEN.includes(name)) namespace.giveUp(new ParleyError("SIGNED_OUT"));
    }
    this.#listeners.tell("signed_out", { reason });
  }
}
