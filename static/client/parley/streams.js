/** The numbers heard so far in each room of one namespace: drops repeats, notices gaps. */

/** More than the server joins somebody to: their conversations alone may be a thousand. */
const MAX_ROOMS = 2_000;

/** @typedef {{epoch: string, rooms: Record<string, {seq: number, recovered: boolean}>}} Synced */
/** @typedef {{room: string, seq: number}} Lost */

export class Streams {
  /** @type {Map<string, number>} */
  #last = new Map();
  /** @type {string | undefined} */
  #epoch;
  /** @type {Record<string, number>} What the connection now open asked to be replayed. */
  #asked = {};

  /** @param {string} room */
  last(room) {
    return this.#last.get(room);
  }

  /**
   * Takes the number of an event that came.
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
   * Takes a snapshot's number for a room that nothing was heard of. Where something was, the
   * snapshot may be ahead of events still on their way, and others wait for those.
   * @param {string} room
   * @param {number} seq
   */
  begin(room, seq) {
    if (!this.#last.has(room)) this.#set(room, seq);
  }

  /**
   * Learns from the server where a room stands; numbers only rise.
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

  /** What to send when connecting, so that the server replays what was missed. */
  since() {
    this.#asked = Object.fromEntries(this.#last);
    if (!this.#last.size) return {};
    return { since: this.#asked, ...(this.#epoch && { epoch: this.#epoch }) };
  }

  /**
   * Takes the server's word on where each room stands after connecting.
   * @param {Synced} synced
   * @param {(room: string) => boolean} watched rooms that may be joined anew by watching
   * @returns {Lost[]} the rooms whose state must be fetched afresh
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
   * Rooms that the server no longer names are not ours any more, unless a watch will join them.
   * @param {Synced["rooms"]} rooms
   * @param {(room: string) => boolean} watched
   * @param {boolean} anew whether the numbers of another epoch count for nothing now
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
    // The room that has been quiet for longest goes: it costs a fetch, not a loss.
    this.#last.delete(/** @type {string} */ (this.#last.keys().next().value));
  }
}
