/** Decides when a side of a call sends its voice alone, because a connection is bad. */

/** After so many bad measurements in a row, video stops. */
const BAD_MAX = 2;
/** After so many good ones it begins again; after each stop, twice as many are needed. */
const GOOD_MIN = 3, GOOD_MAX = 24;

export class VoiceFirst {
  /** Whether video is stopped now. */
  paused = false;
  #bad = 0;
  #good = 0;
  #goodNeeded = GOOD_MIN;

  /** Takes a measurement of both connections: bad if one is bad, good if both are good.
   * @param {("good" | "poor" | "bad")[]} words @returns whether video stops or begins now */
  measured(words) {
    this.#bad = words.includes("bad") ? this.#bad + 1 : 0;
    this.#good = words.every((word) => word === "good") ? this.#good + 1 : 0;
    const changes = this.paused ? this.#good >= this.#goodNeeded : this.#bad >= BAD_MAX;
    if (!changes) return false;
    if (this.paused) this.#goodNeeded = Math.min(this.#goodNeeded * 2, GOOD_MAX);
    this.choose(!this.paused);
    return true;
  }

  /** Stops video, or begins it again. @param {boolean} paused */
  choose(paused) {
    this.paused = paused;
    this.#bad = this.#good = 0;
  }
}
