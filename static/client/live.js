/** State from a snapshot and the events after it; it is fetched again after lost events. */

import { useEffect, useMemo } from "preact/hooks";
import { signal } from "@preact/signals";
import { parley } from "./state.js";

/** @import { Signal } from "@preact/signals" */
/** @import { ParleyError } from "./parley.js" */
/** @import { Meta } from "./parley/typing.js" */

/**
 * @template S
 * @typedef {object} Source
 * @property {string} namespace
 * @property {string} room
 * @property {() => Promise<S & {seq: number}>} load
 * @property {Record<string, (state: S, data: any) => S>} events
 */
/**
 * Events that arrive during a fetch of the snapshot wait, and the newer ones are applied to it. If
 * the fetch fails, they are applied to the old state, and the next connection fetches again.
 * @template S
 */
export class Live {
  /** @type {Signal<S | null>} */
  state = signal(null);
  /** @type {Signal<ParleyError | null>} */
  error = signal(null);
  #source;
  #seq = -1;
  /** @type {{event: string, data: any, seq: number}[]} */
  #early = [];
  /** @type {Promise<void> | null} */
  #loading = null;
  #again = false;
  #stopped = false;
  #stops;

  /** @param {Source<S>} source */
  constructor(source) {
    this.#source = source;
    this.#stops = this.#listen();
    void this.reload();
  }

  stop() {
    this.#stopped = true;
    this.#again = false;
    this.#stops.forEach((stop) => stop());
  }

  /** Fetches the snapshot again; after a fetch in progress, which may lack the lost events. */
  reload = () => {
    this.#again = true;
    this.#loading ??= this.#fetchAll();
    return this.#loading;
  };

  async #fetchAll() {
    while (this.#again) {
      this.#again = false;
      await this.#fetchAfresh();
    }
    this.#loading = null;
  }

  async #fetchAfresh() {
    const { namespace, room, load } = this.#source;
    this.#early = [];
    try {
      const fresh = await load();
      if (this.#stopped) return;
      this.#seq = fresh.seq;
      parley.begin(namespace, room, fresh.seq);
      this.state.value = fresh;
      this.error.value = null;
    } catch (refusal) {
      this.error.value = /** @type {ParleyError} */ (refusal);
    }
    for (const heard of this.#early) this.#apply(heard);
  }

  /** @param {{event: string, data: any, seq: number}} heard */
  #apply({ event, data, seq }) {
    if (seq <= this.#seq || this.state.value === null) return;
    this.#seq = seq;
    this.state.value = this.#source.events[event](this.state.value, data);
  }

  #listen() {
    const { namespace, room, events } = this.#source;
    const on = /** @type {any} */ (parley).on.bind(parley);
    const stops = Object.keys(events).map((event) =>
      on(namespace, event, (/** @type {any} */ data, /** @type {Meta} */ meta) => {
        if (meta.room !== room || meta.seq === undefined) return;
        const heard = { event, data, seq: meta.seq };
        if (this.#loading) this.#early.push(heard);
        else this.#apply(heard);
      }));
    return [
      ...stops,
      parley.on("unrecovered", (lost) => {
        if (lost.namespace === namespace && lost.room === room) void this.reload();
      }),
      parley.on("connection", (to) => {
        if (to.namespace === namespace && to.connected && this.error.value) void this.reload();
      }),
    ];
  }
}

/**
 * @template S
 * @param {() => Source<S>} source
 * @param {unknown[]} inputs a change of these creates a new `Live`
 * @param {() => void} [leave]
 */
export function useLive(source, inputs, leave) {
  const made = useMemo(() => new Live(source()), inputs);
  useEffect(() => () => {
    made.stop();
    leave?.();
  }, [made]);
  return made;
}

/**
 * The list with this item in place of the one with its id, or added at the end.
 * @template {{id: string}} T
 * @param {T[]} list
 * @param {T} one
 */
export const withOne = (list, one) =>
  list.some(({ id }) => id === one.id)
    ? list.map((other) => (other.id === one.id ? one : other))
    : [...list, one];
