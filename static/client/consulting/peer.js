/**
 * One side of a video call between two browsers.
 *
 * Each attempt has an id, and what is said names the attempt it is meant for, so that words from
 * before a loss and after it never mix. Both sides greet when they begin; the consultant's side
 * then makes the first offer. Later either may offer, and when both do at once, the polite side
 * (the student's) gives way.
 */

import { newId } from "../parley.js";

/**
 * @typedef {object} Link
 * @property {boolean} polite
 * @property {RTCIceServer[]} ice_servers
 * @property {(said: any) => void} say to the other side
 * @property {(stream: MediaStream) => void} show
 * @property {(state: RTCPeerConnectionState) => void} changed
 */

export class Peer {
  #link;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  #id = "";
  #their = "";
  #offering = false;
  #ignoring = false;
  #stale = false;
  /** @type {MediaStream | null} */
  #local = null;
  #line = Promise.resolve();

  /** @param {Link} link */
  constructor(link) {
    this.#link = link;
  }

  /** Begins, or begins anew after the other side was lost. */
  start() {
    if (this.#pc && !this.#stale) return;
    this.#begin("");
    this.#say({ hello: true });
  }

  /** The other side is gone: what comes next begins anew. */
  lost() {
    this.#stale = true;
  }

  close() {
    this.#pc?.close();
    this.#pc = null;
  }

  /** @param {MediaStream} stream */
  use(stream) {
    this.#local = stream;
    if (this.#pc) this.#addTracks(this.#pc);
  }

  /** Signals are taken one after the other. @param {any} said */
  hear(said) {
    this.#line = this.#line.then(() => this.#take(said)).catch((mistake) => {
      if (!this.#ignoring) console.warn(mistake);
    });
  }

  /** @param {string} their the attempt of the other side that this one is for, when known */
  #begin(their) {
    this.#pc?.close();
    // What is still to be taken was said to the last attempt, and may never be done with.
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
      if (pc.connectionState === "failed") pc.restartIce();
      this.#link.changed(pc.connectionState);
    };
    this.#addTracks(pc);
  }

  /** Without camera or microphone one can still see and hear. @param {RTCPeerConnection} pc */
  #addTracks(pc) {
    const sent = pc.getSenders().map(({ track }) => track);
    for (const track of this.#local?.getTracks() ?? []) {
      if (this.#local && !sent.includes(track)) pc.addTrack(track, this.#local);
    }
    if (this.#link.polite) return;
    const kinds = pc.getTransceivers().map(({ receiver }) => receiver.track.kind);
    for (const kind of ["audio", "video"]) {
      if (!kinds.includes(kind)) pc.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  /** Waits for the other side to be there; the answer to the first offer brings the rest.
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
      // Their first word may have come before ours could be heard.
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
