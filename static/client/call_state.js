/** What happens in one call: joining, signals, interruption and return, the end. */

import { signal } from "@preact/signals";
import { openMedia } from "./media.js";
import { Peer } from "./peer.js";
import { myId, parley } from "./state.js";

/** @import { Call } from "./contracts.js" */
/** @typedef {"waiting" | "talking" | "interrupted"} Line */

export class CallState {
  call = signal(/** @type {Call | null} */ (null));
  error = signal(/** @type {any} */ (null));
  line = signal(/** @type {Line} */ ("waiting"));
  local = signal(/** @type {MediaStream | null} */ (null));
  remote = signal(/** @type {MediaStream | null} */ (null));
  complaint = signal("");
  /** How the two browsers are connected, as the browser itself says. */
  link = signal("new");
  /** Seconds talked until `since`, when the line is open. */
  base_s = signal(0);
  since = signal(/** @type {number | null} */ (null));

  #id;
  #there = false;
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
    void this.#openLocal();
    void this.join();
  }

  leavePage() {
    // Who goes elsewhere talks no more, though their connection stays.
    if (this.#there) this.leave().catch(() => {});
    this.#stops.forEach((stop) => stop());
    this.#stops = [];
    this.#close();
  }

  async join() {
    try {
      const call = await parley.call("/call", "join", { call_id: this.#id });
      this.#there = call.status !== "ended";
      this.#see(call);
      this.error.value = null;
    } catch (refusal) {
      this.error.value = refusal;
    }
  }

  async leave() {
    this.#there = false;
    await parley.call("/call", "leave", { call_id: this.#id });
  }

  async end() {
    this.#see(await parley.call("/call", "end", { call_id: this.#id }));
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
      this.#returnWhenConnected(),
    ];
  }

  /** Who was lost comes back by joining again. */
  #returnWhenConnected() {
    let there = true;
    return parley.on("connection", ({ namespace, connected }) => {
      if (namespace !== "/call") return;
      if (connected && !there && this.call.value?.status !== "ended") void this.join();
      there = connected;
    });
  }

  /** @param {Call} call */
  #see(call) {
    this.call.value = call;
    if (call.status === "active") this.#talk(call);
    if (call.status === "ended") this.#close();
  }

  /** @param {Call} call */
  #talk(call) {
    this.#peerOrNone()?.start();
    if (this.line.value === "talking") return;
    this.line.value = "talking";
    this.base_s.value = call.talked_s;
    this.since.value = Date.now();
  }

  /** @param {Call} call */
  #interrupted(call) {
    this.call.value = call;
    this.line.value = "interrupted";
    this.base_s.value = call.talked_s;
    this.since.value = null;
    this.#peer?.lost();
  }

  /** None before joining said who the other one is. */
  #peerOrNone() {
    const call = this.call.value;
    if (this.#peer || !call || call.status === "ended") return this.#peer;
    const student = call.student_id === myId();
    const to = student ? call.consultant_id : call.student_id;
    this.#peer = new Peer({
      polite: student, ice_servers: call.ice_servers,
      say: (data) =>
        void parley.call("/call", "signal", { call_id: this.#id, to, data }).catch(() => {}),
      show: (stream) => (this.remote.value = stream),
      changed: (state) => (this.link.value = state),
    });
    if (this.local.value) this.#peer.use(this.local.value);
    return this.#peer;
  }

  async #openLocal() {
    const { stream, complaint } = await openMedia();
    if (!this.#stops.length || this.call.value?.status === "ended") return stop(stream);
    this.complaint.value = complaint;
    this.local.value = stream;
    if (stream) this.#peer?.use(stream);
    return undefined;
  }

  #close() {
    this.#there = false;
    this.#peer?.close();
    this.#peer = null;
    stop(this.local.value);
    this.local.value = null;
  }
}

/** @param {MediaStream | null} stream */
const stop = (stream) => stream?.getTracks().forEach((track) => track.stop());
