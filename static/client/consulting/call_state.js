/** The state of one call: joining, signals, interruptions, rejoining, and the end. */

import { signal } from "@preact/signals";
import { CallMedia } from "./call_media.js";
import { Meter } from "./meter.js";
import { Peer } from "./peer.js";
import { VoiceFirst } from "./voice_first.js";
import { myId, parley } from "../state.js";

/** @import { Access, Call } from "../contracts.js" */
/** @typedef {"good" | "poor" | "bad"} Quality */
/** @typedef {"waiting" | "talking" | "interrupted"} Line */

const MEASURED_EACH_MS = 10_000;

export class CallState {
  call = signal(/** @type {Call | null} */ (null));
  error = signal(/** @type {any} */ (null));
  line = signal(/** @type {Line} */ ("waiting"));
  media = new CallMedia((stream) => this.#peer?.use(stream));
  local = this.media.stream;
  remote = signal(/** @type {MediaStream | null} */ (null));
  complaint = this.media.complaint;
  /** How good the connections are, by user. */
  quality = signal(/** @type {Record<string, Quality>} */ ({}));
  /** Whether this side sends no video, because a connection is bad. */
  audioOnly = signal(false);
  access = signal(/** @type {Access | null} */ (null));
  /** Whether the user joined on another device, which has the call now. */
  moved = signal(false);
  /** The `connectionState` between the two browsers. */
  link = signal("new");
  /** Seconds talked before `since`, the Unix time in ms; null while nobody talks. */
  base_s = signal(0);
  since = signal(/** @type {number | null} */ (null));

  #id;
  /** Whether the server may count this device as joined: from `join` until `leave` succeeded. */
  #there = false;
  #closed = false;
  /** A counter of events, so that an older answer cannot undo a newer event. */
  #changes = 0;
  #meter = new Meter();
  #voiceFirst = new VoiceFirst();
  /** @type {Peer | null} */
  #peer = null;
  /** @type {(() => void)[]} */
  #stops = [];

  /** @param {string} id */
  constructor(id) {
    this.#id = id;
  }

  enter() {
    this.#listen();
    void this.media.open();
    void this.join();
  }

  leavePage() {
    // Leaving the page ends the conversation, although the connection to the server stays open.
    if (this.#there) this.leave().catch(() => {});
    this.#stops.forEach((stop) => stop());
    this.#close();
  }

  async join() {
    try {
      const call = await inTurn(async () => this.#ask());
      if (!call || this.#closed) return;
      this.access.value = call.access ?? null;
      this.call.value = call;
      await this.#look(call);
      this.error.value = null;
    } catch (refusal) {
      this.#refused(/** @type {any} */ (refusal));
    }
  }

  async #ask() {
    if (this.#closed) return null;
    this.#there = true;
    return parley.call("/call", "join", { call_id: this.#id });
  }

  async leave() {
    await inTurn(() => parley.call("/call", "leave", { call_id: this.#id }));
    this.#there = false;
  }

  async end() {
    this.#see(await parley.call("/call", "end", { call_id: this.#id }));
  }

  /** Fetches what the answer to `join` lacks: whether the call is interrupted, and the time talked.
   * @param {Call} joined */
  async #look(joined) {
    const changes = this.#changes;
    const { call, interrupted } = await parley.call("/call", "current", {});
    if (this.#closed || changes !== this.#changes) return;
    if (call?.id !== this.#id) this.#see(joined);
    else if (interrupted) this.#interrupted(call);
    else this.#see(call);
  }

  /** @param {{code?: string}} refusal */
  #refused(refusal) {
    this.error.value = refusal;
    if (refusal.code !== "CALL_OVER") return;
    this.call.value = null;
    this.#close();
  }

  #listen() {
    const ours = (/** @type {(call: Call) => void} */ then) =>
      (/** @type {{call: Call}} */ { call }) => void (call.id === this.#id && then(call));
    const see = ours((call) => this.#see(call));
    this.#stops = [
      parley.on("/call", "CALL_STARTED", see),
      parley.on("/call", "CALL_RESUMED", see),
      parley.on("/call", "CALL_INTERRUPTED", ours((call) => this.#interrupted(call))),
      parley.on("/call", "CALL_ENDED", see),
      parley.on("/call", "CALL_DURATION_RECORDED", see),
      parley.on("/call", "signal", ({ call_id, data }) => {
        if (call_id === this.#id) this.#peerOrNone()?.hear(data);
      }),
      parley.on("/call", "moved", ({ call_id }) => {
        if (call_id === this.#id) this.#movedAway();
      }),
      parley.on("unrecovered", ({ namespace }) => {
        if (namespace === "/call") void this.#comeBack();
      }),
      parley.on("/call", "CALL_QUALITY_REPORTED", (told) => this.#told(told)),
      this.#returnWhenConnected(),
      onNetworkChange(() => void this.#peer?.restart()),
      repeat(() => void this.#measure().catch(() => {}), MEASURED_EACH_MS),
    ];
  }

  /** Joins again after a reconnect. */
  #returnWhenConnected() {
    let there = true;
    return parley.on("connection", ({ namespace, connected }) => {
      if (namespace !== "/call") return;
      if (connected && !there) void this.#comeBack();
      there = connected;
    });
  }

  async #comeBack() {
    if (!this.#closed && this.call.value?.status !== "ended") await this.join();
  }

  #movedAway() {
    this.#close();
    this.moved.value = true;
  }

  /** @param {Call} call */
  #see(call) {
    this.#changes++;
    this.call.value = call;
    if (call.status === "active") this.#talk(call);
    if (call.status === "ended") this.#close();
  }

  /** @param {Call} call */
  #talk(call) {
    this.#peerOrNone()?.start();
    this.line.value = "talking";
    this.base_s.value = call.talked_s;
    this.since.value = Date.now();
  }

  /** @param {Call} call */
  #interrupted(call) {
    this.#changes++;
    this.call.value = call;
    this.line.value = "interrupted";
    this.base_s.value = call.talked_s;
    this.since.value = null;
    this.#peer?.lost();
  }

  /** The peer; null until the answer to `join` has told who the other person is. */
  #peerOrNone() {
    const call = this.call.value;
    if (this.#peer || !call || this.#closed || call.provider !== "browser") return this.#peer;
    const student = call.student_id === myId();
    const to = student ? call.consultant_id : call.student_id;
    this.#peer = new Peer({
      polite: student,
      ice_servers: this.access.value?.ice_servers ?? call.ice_servers,
      renew: () => this.#renew(),
      say: (data) =>
        void parley.call("/call", "signal", { call_id: this.#id, to, data }).catch(() => {}),
      show: (stream) => (this.remote.value = stream),
      changed: (state) => (this.link.value = state),
    });
    if (this.local.value) this.#peer.use(this.local.value);
    return this.#peer;
  }

  async #renew() {
    this.access.value = await parley.call("/call", "access", { call_id: this.#id });
    return this.access.value.ice_servers;
  }

  /** Measures the connection, and reports it. A report that is refused or lost is not repeated. */
  async #measure() {
    const pc = this.#peer?.connection;
    if (!pc || this.call.value?.status !== "active") return;
    const measured = await this.#meter.measure(pc);
    if (!measured || this.#closed) return;
    const report = { call_id: this.#id, ...measured };
    const { quality } = await parley.call("/call", "report_quality", report);
    this.quality.value = { ...this.quality.value, [myId()]: quality };
    if (pc.connectionState !== "connected") return;
    if (this.#voiceFirst.measured(Object.values(this.quality.value))) await this.#applyVideo();
  }

  /** @param {{call_id: string, user_id: string, quality: Quality}} told */
  #told({ call_id, user_id, quality }) {
    if (call_id === this.#id) this.quality.value = { ...this.quality.value, [user_id]: quality };
  }

  /** Sends video again after it was stopped, at the user's request. */
  async resumeVideo() {
    this.#voiceFirst.choose(false);
    await this.#applyVideo();
  }

  async #applyVideo() {
    this.audioOnly.value = this.#voiceFirst.paused;
    await this.#peer?.setAudioOnly(this.#voiceFirst.paused);
  }

  /** Closes this object for good; a new visit to the page creates another one. */
  #close() {
    this.#closed = true;
    this.#there = false;
    this.#peer?.close();
    this.#peer = null;
    this.media.close();
  }
}

/** Calls `then` when the device gets another network. @param {() => void} then */
function onNetworkChange(then) {
  const { connection } = /** @type {any} */ (globalThis.navigator ?? {});
  globalThis.addEventListener?.("online", then);
  connection?.addEventListener?.("change", then);
  return () => {
    globalThis.removeEventListener?.("online", then);
    connection?.removeEventListener?.("change", then);
  };
}

/** @param {() => void} work @param {number} each_ms */
function repeat(work, each_ms) {
  const timer = setInterval(work, each_ms);
  return () => clearInterval(timer);
}

/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/** Runs `join` and `leave` one after the other, so that a late one cannot undo a newer one.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>} */
function inTurn(work) {
  const mine = turn.then(work);
  turn = mine.catch(() => {});
  return mine;
}
