/** One device of a user, with the official client, which checks the order of its events. */

import assert from "node:assert/strict";
import { Manager } from "socket.io-client";

const TIMEOUT_MS = 10_000;
const META = ["at", "id", "room", "seq"];
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Checks that an object has exactly these fields. */
export const hasFields = (object, fields) =>
  assert.deepEqual(Object.keys(object).sort(), [...fields].sort());

const within = (promise, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in vain: ${what()}`)), TIMEOUT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** A namespace on a device. A test must take its events one by one, in order. */
class Namespace {
  received = [];
  /** The last number of each room, from events and `synced`. */
  heads = {};
  #wake = () => {};

  constructor(manager, name, token) {
    this.name = name;
    this.auth = token ? { token } : {};
    this.socket = manager.socket(name, { auth: (tell) => tell(this.auth) });
    this.socket.onAny((event, data, meta) => this.#receive(event, data, meta));
    this.socket.on("disconnect", (reason) => this.#note({ event: "disconnect", data: reason }));
  }

  /** Makes later connections send the numbers that were received, so that they are resumed. */
  resumeOnReconnect() {
    this.auth = { ...this.auth, epoch: this.epoch, since: this.heads };
  }

  /** Connects; resolves to the data of `synced`. */
  async enter() {
    const refused = new Promise((_, reject) => this.socket.once("connect_error", reject));
    this.socket.connect();
    return within(Promise.race([this.next("synced"), refused]), () => `${this.name} synced`);
  }

  /** Sends a command; resolves to the whole answer. */
  ask(command, payload) {
    const answer = this.socket.emitWithAck(command, payload);
    return within(answer, () => `the answer to ${this.name} ${command}`);
  }

  /** Sends a command that must succeed; resolves to the data of its answer. */
  async call(command, payload) {
    const answer = await this.ask(command, payload);
    assert.equal(answer.ok, true, `${this.name} ${command}: ${JSON.stringify(answer)}`);
    hasFields(answer, ["ok", "data"]);
    return answer.data;
  }

  /** Sends a command that must fail with `code`; resolves to the error of its answer. */
  async expectRefusal(command, payload, code) {
    const answer = await this.ask(command, payload);
    assert.equal(answer.ok, false, `${this.name} ${command} was not refused`);
    hasFields(answer, ["ok", "error"]);
    assert.equal(answer.error.code, code, JSON.stringify(answer.error));
    assert.equal(typeof answer.error.message, "string");
    return answer.error;
  }

  /** Takes the next event, which must be this one. */
  async next(event) {
    const got = await this.#take(event);
    assert.equal(got.event, event, `${this.name} heard ${JSON.stringify(got)}`);
    return event === "synced" ? got.data : got;
  }

  /** Like `next`, but skips notifications, which can arrive at any time. */
  async nextExceptNotifications(event) {
    const told = () => this.received[0]?.event === "NOTIFICATION_DISPATCHED";
    do {
      while (told()) this.received.shift();
      if (!this.received.length) await this.#arrival(event);
    } while (told());
    return this.next(event);
  }

  /** Takes the next event, which must be in this room; resolves to its data. */
  async receives(event, room) {
    const { data, meta } = await this.next(event);
    assert.equal(meta.room, room);
    return data;
  }

  /** Checks that all received events were taken. */
  receivedNothingElse() {
    assert.deepEqual(this.received, [], `${this.name} heard more`);
  }

  async #take(event) {
    await this.#arrival(event);
    return this.received.shift();
  }

  #arrival(event) {
    const come = async () => {
      while (!this.received.length) await new Promise((resolve) => (this.#wake = resolve));
    };
    return within(come(), () => `${this.name} ${event}`);
  }

  #receive(event, data, meta) {
    if (event === "synced") this.#sync(data);
    else if (meta?.seq !== undefined) this.#count(event, meta);
    this.#note({ event, data, meta });
  }

  /** Checks that the replay before `synced` ended at the head of each room. */
  #sync({ epoch, rooms }) {
    this.epoch = epoch;
    const since = this.auth.since ?? {};
    for (const [room, { seq, recovered }] of Object.entries(rooms)) {
      if (recovered && room in since) assert.equal(seq, this.heads[room], `replay of ${room}`);
      this.heads[room] = seq;
    }
  }

  /** Checks that the numbers of a room increase by one. */
  #count(event, meta) {
    hasFields(meta, META);
    assert.match(meta.at, UTC);
    const last = this.heads[meta.room];
    if (last !== undefined) assert.equal(meta.seq, last + 1, `${event} in ${meta.room}`);
    this.heads[meta.room] = meta.seq;
  }

  #note(received) {
    this.received.push(received);
    this.#wake();
  }
}

export class Device {
  #namespaces = new Map();

  /** @param {string[]} transports such as `["polling", "websocket"]` */
  constructor(url, transports, token) {
    this.token = token;
    this.manager = new Manager(url, { transports, autoConnect: false, reconnectionDelay: 20 });
  }

  /** Returns a namespace by its name, and creates it on first use. */
  in(name) {
    if (!this.#namespaces.has(name)) {
      this.#namespaces.set(name, new Namespace(this.manager, name, this.token));
    }
    return this.#namespaces.get(name);
  }

  async enter(...names) {
    for (const name of names) await this.in(name).enter();
    return this;
  }

  get transport() {
    return this.manager.engine.transport.name;
  }

  /** Drops the connection; the client reconnects by itself. */
  dropConnection() {
    this.manager.engine.close();
  }

  close() {
    for (const { socket } of this.#namespaces.values()) socket.disconnect();
  }
}
