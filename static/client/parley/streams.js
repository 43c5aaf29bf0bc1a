/**
 * Sequence numbers of the rooms in a namespace: recognizes repeated events and gaps, and tells the
 * server what to replay.
 */

/** More rooms than the server joins a user to; they may have a thousand conversations. */
const MAX_ROOMS = 2_000;

/** @typedef {{epoch: string, rooms: Record<string, {seq: number, recovered: boolean}>}} Synced */
/** @typedef {{room: string, seq: number}} Lost */

export class Streams {
  /** @type {Map<string, number>} */
  #last = new Map();
  /** @type {string | undefined} */
  #epoch;
  /** @type {Record<string, number>} The `since` numbers that the current connection sent. */
  #asked = {};

  /** @param {string} room */
  last(room) {
    return this.#last.get(room);
  }

  /**
   * Records the number of a received event.
   * @param {string} room
   * @param {number} seq
   * @returns {"next" | "repeat" | "gap"}
   */
  take(room, seq) {
    const last = this.#last.get(room);
    if (last !== undefined && seq <= last) return "repeat";
    this.#set(room, seq);
    return last === undefined || seq === last + 1 ? "next" : "gap";
  }

  /**
   * Sets the number of a room from a snapshot, unless the room has one. If it has, the snapshot may
   * be ahead of events that are still in transit, and other listeners need those events.
   * @param {string} room
   * @param {number} seq
   */
  begin(room, seq) {
    if (!this.#last.has(room)) this.#set(room, seq);
  }

  /**
   * Raises the number of a room to the head that the server reports.
   * @param {string} room
   * @param {number} seq
   * @returns {boolean} whether something was missed
   */
  reach(room, seq) {
    const last = this.#last.get(room);
    if (last !== undefined && seq <= last) return false;
    this.#set(room, seq);
    return last !== undefined;
  }

  /** The fields to send on connecting, so that the server replays missed events. */
  since() {
    this.#asked = Object.fromEntries(this.#last);
    if (!this.#last.size) return {};
    return { since: this.#asked, ...(this.#epoch && { epoch: this.#epoch }) };
  }

  /**
   * Applies the `synced` notice, which has the head of each room after connecting.
   * @param {Synced} synced
   * @param {(room: string) => boolean} watched rooms that a watch may join again
   * @returns {Lost[]} the rooms whose state must be fetched again
   */
  sync({ epoch, rooms }, watched) {
    const lost = Object.entries(rooms)
      .filter(([room, { seq, recovered }]) => this.#missed(room, seq, recovered))
      .map(([room, { seq }]) => ({ room, seq }));
    for (const [room, { seq, recovered }] of Object.entries(rooms)) {
      if (Object.hasOwn(this.#asked, room) && !recovered) this.#set(room, seq);
      else this.reach(room, seq);
    }
    const anew = this.#epoch !== undefined && this.#epoch !== epoch;
    this.#epoch = epoch;
    return [...lost, ...this.#leaveOut(rooms, watched, anew)];
  }

  forget() {
    this.#last.clear();
    this.#asked = {};
    this.#epoch = undefined;
  }

  /**
   * Forgets rooms that the server no longer lists, unless a watch will join them again.
   * @param {Synced["rooms"]} rooms
   * @param {(room: string) => boolean} watched
   * @param {boolean} anew whether the epoch changed, which makes the old numbers invalid
   * @returns {Lost[]}
   */
  #leaveOut(rooms, watched, anew) {
    const lost = [];
    for (const [room, seq] of Object.entries(this.#asked)) {
      if (Object.hasOwn(rooms, room)) continue;
      if (!watched(room) || anew) this.#last.delete(room);
      if (watched(room) && anew) lost.push({ room, seq });
    }
    return lost;
  }

  /**
   * @param {string} room
   * @param {number} seq
   * @param {boolean} recovered
   */
  #missed(room, seq, recovered) {
    if (!Object.hasOwn(this.#asked, room)) return false;
    return !recovered || seq > (this.#last.get(room) ?? seq);
  }

  /**
   * @param {string} room
   * @param {number} seq
   */
  #set(room, seq) {
    this.#last.delete(room);
    this.#last.set(room, seq);
    if (this.#last.size <= MAX_ROOMS) return;
    // Forget the room without events for the longest time: that costs a fetch, but loses nothing.
    this.#last.delete(/** @type {string} */ (this.#last.keys().next().value));
  }
}
