/** One device of a person, by the official client: what it says, and what it hears in order. */

import assert from "node:assert/strict";
import { Manager } from "socket.io-client";

const WITHIN_MS = 10_000;
const META = ["at", "id", "room", "seq"];
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Checks that an object has exactly these fields. */
export const has = (object, fields) =>
  assert.deepEqual(Object.keys(object).sort(), [...fields].sort());

const within = (promise, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in vain: ${what()}`)), WITHIN_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** A namespace on a device. Events are taken one after the other, so that their order counts. */
class Namespace {
  heard = [];
  /** The last number of each room, as events and `synced` said. */
  heads = {};
  #wake = () => {};

  constructor(manager, name, token) {
    this.name = name;
    this.auth = token ? { token } : {};
    this.socket = manager.socket(name, { auth: (tell) => tell(this.auth) });
    this.socket.onAny((event, data, meta) => this.#hear(event, data, meta));
    this.socket.on("disconnect", (reason) => this.#note({ event: "disconnect", data: reason }));
  }

  /** From now on it says, when it comes back, what it had heard. */
  rememberItself() {
    this.auth = { ...this.auth, epoch: this.epoch, since: this.heads };
  }

  /** Resolves to `synced`. */
  async enter() {
    const refused = new Promise((_, reject) => this.socket.once("connect_error", reject));
    this.socket.connect();
    return within(Promise.race([this.next("synced"), refused]), () => `${this.name} synced`);
  }

  /** The whole answer. */
  ask(command, payload) {
    const answer = this.socket.emitWithAck(command, payload);
    return within(answer, () => `the answer to ${this.name} ${command}`);
  }

  /** The data of the answer. */
  async call(command, payload) {
    const answer = await this.ask(command, payload);
    assert.equal(answer.ok, true, `${this.name} ${command}: ${JSON.stringify(answer)}`);
    has(answer, ["ok", "data"]);
    return answer.data;
  }

  /** The error of the answer. */
  async refuses(command, payload, code) {
    const answer = await this.ask(command, payload);
    assert.equal(answer.ok, false, `${this.name} ${command} was not refused`);
    has(answer, ["ok", "error"]);
    assert.equal(answer.error.code, code, JSON.stringify(answer.error));
    assert.equal(typeof answer.error.message, "string");
    return answer.error;
  }

  /** The next event, which has to be this one. */
  async next(event) {
    const got = await this.#take(event);
    assert.equal(got.event, event, `${this.name} heard ${JSON.stringify(got)}`);
    return event === "synced" ? got.data : got;
  }

  /** As `next`, but notifications may come before it: they come when they come. */
  async nextOrTold(event) {
    const told = () => this.heard[0]?.event === "NOTIFICATION_DISPATCHED";
    do {
      while (told()) this.heard.shift();
      if (!this.heard.length) await this.#arrival(event);
    } while (told());
    return this.next(event);
  }

  /** The next event's data, from this room. */
  async hears(event, room) {
    const { data, meta } = await this.next(event);
    assert.equal(meta.room, room);
    return data;
  }

  /** Nothing was heard but what was taken. */
  silent() {
    assert.deepEqual(this.heard, [], `${this.name} heard more`);
  }

  async #take(event) {
    await this.#arrival(event);
    return this.heard.shift();
  }

  #arrival(event) {
    const come = async () => {
      while (!this.heard.length) await new Promise((resolve) => (this.#wake = resolve));
    };
    return within(come(), () => `${this.name} ${event}`);
  }

  #hear(event, data, meta) {
    if (event === "synced") this.#sync(data);
    else if (meta?.seq !== undefined) this.#count(event, meta);
    this.#note({ event, data, meta });
  }

  /** What was replayed before it reaches up to the head. */
  #sync({ epoch, rooms }) {
    this.epoch = epoch;
    const since = this.auth.since ?? {};
    for (const [room, { seq, recovered }] of Object.entries(rooms)) {
      if (recovered && room in since) assert.equal(seq, this.heads[room], `replay of ${room}`);
      this.heads[room] = seq;
    }
  }

  /** Numbers rise by one, with no gap and no repeat. */
  #count(event, meta) {
    has(meta, META);
    assert.match(meta.at, UTC);
    const last = this.heads[meta.room];
    if (last !== undefined) assert.equal(meta.seq, last + 1, `${event} in ${meta.room}`);
    this.heads[meta.room] = meta.seq;
  }

  #note(heard) {
    this.heard.push(heard);
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

  /** A namespace by its name, made when it is first asked for. */
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

  /** The line breaks; the client comes back by itself. */
  breakLine() {
    this.manager.engine.close();
  }

  close() {
    for (const { socket } of this.#namespaces.values()) socket.disconnect();
  }
}
