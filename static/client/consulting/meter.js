/** Measures a connection between two browsers, from the differences of two `getStats`. */

/** @import { ReportQuality } from "../contracts.js" */
/** @typedef {Omit<ReportQuality, "call_id">} Measured */
/** @typedef {{at: number, received: number, lost: number, in: number, out: number, freezes: number,
 *   jitter_s: number, round_trip_s: number, relay: boolean}} Totals */

const JITTER_MAX_MS = 60_000, KBPS_MAX = 1_000_000, FREEZES_MAX = 1_000;

export class Meter {
  /** @type {Totals | null} */
  #last = null;

  /** The connection since the last call; null for the first one, and after a new connection or an
   * outage: what was lost in it says nothing about the connection since.
   * @param {RTCPeerConnection} pc @returns {Promise<Measured | null>} */
  async measure(pc) {
    const now = totals(await pc.getStats());
    const last = this.#last;
    this.#last = pc.connectionState === "connected" ? now : null;
    if (!last || now.at <= last.at || now.in < last.in || now.out < last.out) return null;
    return difference(last, now, pc.connectionState === "connected");
  }
}

/** @param {RTCStatsReport} report @returns {Totals} */
function totals(report) {
  const sums = { at: 0, received: 0, lost: 0, in: 0, out: 0, freezes: 0, jitter_s: 0,
    round_trip_s: 0, relay: false };
  report.forEach((/** @type {any} */ one) => {
    if (one.type === "inbound-rtp") addInbound(sums, one);
    if (one.type === "outbound-rtp") sums.out += one.bytesSent ?? 0;
    if (one.type === "transport") {
      sums.at = one.timestamp;
      addPath(sums, report, report.get(one.selectedCandidatePairId));
    }
  });
  return sums;
}

/** @param {Totals} sums @param {any} stream */
function addInbound(sums, stream) {
  sums.received += stream.packetsReceived ?? 0;
  sums.lost += stream.packetsLost ?? 0;
  sums.in += stream.bytesReceived ?? 0;
  sums.freezes += stream.freezeCount ?? 0;
  sums.jitter_s = Math.max(sums.jitter_s, stream.jitter ?? 0);
}

/** @param {Totals} sums @param {RTCStatsReport} report @param {any} pair */
function addPath(sums, report, pair) {
  sums.round_trip_s = pair?.currentRoundTripTime ?? 0;
  const ends = [pair?.localCandidateId, pair?.remoteCandidateId].map((id) => report.get(id));
  sums.relay = ends.some((end) => end?.candidateType === "relay");
}

/** @param {Totals} last @param {Totals} now @param {boolean} connected @returns {Measured} */
function difference(last, now, connected) {
  const lost = Math.max(0, now.lost - last.lost);
  const sent = lost + Math.max(0, now.received - last.received);
  const kbps = (/** @type {number} */ bytes) =>
    within(KBPS_MAX, (bytes * 8) / (now.at - last.at));
  return {
    loss: connected ? (sent ? lost / sent : 0) : 1,
    jitter_ms: within(JITTER_MAX_MS, now.jitter_s * 1000),
    round_trip_ms: within(JITTER_MAX_MS, now.round_trip_s * 1000),
    received_kbps: kbps(now.in - last.in),
    sent_kbps: kbps(now.out - last.out),
    freezes: within(FREEZES_MAX, now.freezes - last.freezes),
    path: now.relay ? "relay" : "direct",
  };
}

/** @param {number} most @param {number} value */
const within = (most, value) => Math.round(Math.min(Math.max(value, 0), most));
