/**
 * One side of a video call between two browsers.
 *
 * Each connection attempt has an id, and a signal names the attempt that it is for, so that signals
 * from before and after a lost connection never mix. Both sides send `hello` when they begin. The
 * consultant's side then makes the first offer. Later either side may make one. If both do so at
 * the same time, the polite side (the student's) gives way ("perfect negotiation").
 *
 * A connection that is lost, or whose network changed, looks for a new path (an ICE restart) with
 * new credentials. It tries again every few seconds, because the signals of an attempt can be lost.
 */

import { newId } from "../parley.js";

/**
 * @typedef {object} Link
 * @property {boolean} polite
 * @property {RTCIceServer[]} ice_servers
 * @property {() => Promise<RTCIceServer[]>} renew fetches the servers with new credentials
 * @property {(said: any) => void} say sends a signal to the other side
 * @property {(stream: MediaStream) => void} show
 * @property {(state: RTCPeerConnectionState) => void} changed
 */

const RESTART_AFTER_MS = 2_000, RESTART_AGAIN_MS = 6_000;

export class Peer {
  #link;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  #id = "";
  #their = "";
  #offering = false;
  #ignoring = false;
  #stale = false;
  #restarting = false;
  /** The senders by kind of track. @type {Map<string, RTCRtpSender>} */
  #senders = new Map();
  #audioOnly = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {MediaStream | null} */
  #local = null;
  #line = Promise.resolve();

  /** @param {Link} link */
  constructor(link) {
    this.#link = link;
  }

  /** Starts a connection attempt, unless one is active and the other side has not been lost. */
  start() {
    if (this.#pc && !this.#stale) return;
    this.#begin("");
    this.#say({ hello: true });
  }

  /** Notes that the other side is gone, so that the next signal starts a new attempt. */
  lost() {
    this.#stale = true;
  }

  close() {
    clearTimeout(this.#timer);
    this.#pc?.close();
    this.#pc = null;
  }

  /** The connection, for its statistics. */
  get connection() {
    return this.#pc;
  }

  /** Looks for a new path with new credentials. */
  async restart() {
    const pc = this.#pc;
    if (!pc || this.#restarting || !this.#their) return;
    this.#restarting = true;
    this.#restartIn(pc, RESTART_AGAIN_MS);
    try {
      const iceServers = await this.#link.renew();
      if (pc !== this.#pc) return;
      pc.setConfiguration({ ...pc.getConfiguration(), iceServers });
      // The answer to an offer before may never come.
      if (pc.signalingState === "have-local-offer") {
        await pc.setLocalDescription({ type: "rollback" });
      }
      pc.restartIce();
    } catch (mistake) {
      console.warn(mistake);
    } finally {
      this.#restarting = false;
    }
  }

  /** Stops or resumes sending video. @param {boolean} audioOnly */
  async setAudioOnly(audioOnly) {
    this.#audioOnly = audioOnly;
    await this.#senders.get("video")?.replaceTrack(audioOnly ? null : this.#videoTrack());
  }

  #videoTrack() {
    return this.#local?.getTracks().find(({ kind }) => kind === "video") ?? null;
  }

  /** @param {RTCPeerConnection} pc @param {number} after_ms */
  #restartIn(pc, after_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (pc === this.#pc && pc.connectionState !== "connected") void this.restart();
    }, after_ms);
  }

  /** @param {MediaStream} stream */
  use(stream) {
    this.#local = stream;
    if (this.#pc) this.#addTracks(this.#pc);
  }

  /** Processes signals one after the other. @param {any} said */
  hear(said) {
    this.#line = this.#line.then(() => this.#take(said)).catch((mistake) => {
      if (!this.#ignoring) console.warn(mistake);
    });
  }

  /** @param {string} their the other side's attempt, if known; otherwise "" */
  #begin(their) {
    clearTimeout(this.#timer);
    this.#pc?.close();
    this.#senders = new Map();
    // Signals still in the queue were for the last attempt, and their processing may never end.
    this.#line = Promise.resolve();
    this.#stale = this.#offering = this.#ignoring = false;
    this.#their = their;
    this.#id = newId();
    const pc = new RTCPeerConnection({ iceServers: this.#link.ice_servers });
    this.#pc = pc;
    const remote = new MediaStream();
    pc.ontrack = ({ track }) => {
      remote.addTrack(track);
      this.#link.show(remote);
    };
    pc.onicecandidate = ({ candidate }) => candidate && this.#say({ candidate });
    pc.onnegotiationneeded = () => void this.#offer(pc);
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "failed") void this.restart();
      if (pc.connectionState === "disconnected") this.#restartIn(pc, RESTART_AFTER_MS);
      this.#link.changed(pc.connectionState);
    };
    this.#addTracks(pc);
  }

  /** Adds the local tracks. A side without camera or microphone still receives.
   * @param {RTCPeerConnection} pc */
  #addTracks(pc) {
    for (const track of this.#local?.getTracks() ?? []) this.#send(pc, track);
    if (this.#link.polite) return;
    const kinds = pc.getTransceivers().map(({ receiver }) => receiver.track.kind);
    for (const kind of ["audio", "video"]) {
      if (!kinds.includes(kind)) pc.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  /** Sends a track, in place of an earlier one of its kind.
   * @param {RTCPeerConnection} pc @param {MediaStreamTrack} track */
  #send(pc, track) {
    const sender = this.#senders.get(track.kind);
    const paused = this.#audioOnly && track.kind === "video";
    if (sender) return void sender.replaceTrack(paused ? null : track).catch(console.warn);
    if (paused || !this.#local) return undefined;
    this.#senders.set(track.kind, pc.addTrack(track, this.#local));
    return undefined;
  }

  /** Sends an offer, once the other side is known. The polite side waits for the first offer of the
   * other one, and its answer includes its own tracks.
   * @param {RTCPeerConnection} pc */
  async #offer(pc) {
    if (!this.#their || (this.#link.polite && !pc.currentRemoteDescription)) return;
    this.#offering = true;
    try {
      await pc.setLocalDescription();
      if (pc === this.#pc) this.#say({ description: pc.localDescription });
    } catch (mistake) {
      console.warn(mistake);
    }
    this.#offering = false;
  }

  /** @param {any} said */
  async #take({ from, to, hello, description, candidate }) {
    if (to && to !== this.#id) return;
    if (hello) return this.#greet(from);
    if (description) return this.#describe(from, description);
    if (candidate && from === this.#their) await this.#pc?.addIceCandidate(candidate);
  }

  /** @param {string} from */
  #greet(from) {
    if (this.#their === from) return;
    if (this.#link.polite) {
      // Their `hello` may have arrived before they could receive ours.
      if (!this.#pc || this.#stale || this.#their) this.#begin("");
      return this.#say({ hello: true, to: from });
    }
    this.#begin(from);
  }

  /** @param {string} from @param {RTCSessionDescriptionInit} description */
  async #describe(from, description) {
    const pc = this.#pc;
    if (!pc || (this.#their && this.#their !== from)) return;
    const offered = description.type === "offer";
    const both = offered && (this.#offering || pc.signalingState !== "stable");
    this.#their = from;
    this.#ignoring = both && !this.#link.polite;
    if (this.#ignoring) return;
    await pc.setRemoteDescription(description);
    if (!offered) return;
    await pc.setLocalDescription();
    this.#say({ description: pc.localDescription });
  }

  /** @param {object} said */
  #say(said) {
    this.#link.say({ from: this.#id, ...(this.#their && { to: this.#their }), ...said });
  }
}
