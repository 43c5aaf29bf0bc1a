/** State from a snapshot and the events after it, fetched afresh when events were lost. */

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
 * @template S
 * @typedef {object} Live
 * @property {Signal<S | null>} state
 * @property {Signal<ParleyError | null>} error
 * @property {() => Promise<void>} reload
 * @property {() => void} stop
 */

/**
 * Events that come while the snapshot is on its way wait, and only those after it count.
 * @template S
 * @param {Source<S>} source
 * @returns {Live<S>}
 */
export function live({ namespace, room, load, events }) {
  /** @type {Signal<S | null>} */
  const state = signal(null);
  /** @type {Signal<ParleyError | null>} */
  const error = signal(null);
  /** @type {{event: string, data: any, seq: number}[]} */
  let early = [];
  let seq = -1;
  let loading = false;
  let again = false;

  /** @param {{event: string, data: any, seq: number}} heard */
  function apply(heard) {
    if (heard.seq <= seq || state.value === null) return;
    seq = heard.seq;
    state.value = events[heard.event](state.value, heard.data);
  }

  async function reload() {
    again = loading;
    if (loading) return;
    loading = true;
    early = [];
    try {
      const fresh = await load();
      ({ seq } = fresh);
      parley.begin(namespace, room, seq);
      state.value = fresh;
      error.value = null;
      early.forEach(apply);
    } catch (refusal) {
      error.value = /** @type {ParleyError} */ (refusal);
    }
    loading = false;
    if (again) await reload();
  }

  const on = /** @type {any} */ (parley).on.bind(parley);
  const stops = Object.keys(events).map((event) =>
    on(namespace, event, (/** @type {any} */ data, /** @type {Meta} */ meta) => {
      if (meta.room !== room || meta.seq === undefined) return;
      const heard = { event, data, seq: meta.seq };
      if (loading) early.push(heard);
      else apply(heard);
    }));
  stops.push(parley.on("unrecovered", (lost) => {
    if (lost.namespace === namespace && lost.room === room) void reload();
  }));
  void reload();
  return { state, error, reload, stop: () => stops.forEach((stop) => stop()) };
}

/**
 * @template S
 * @param {() => Source<S>} source
 * @param {unknown[]} inputs made anew when these change
 * @param {() => void} [leave]
 */
export function useLive(source, inputs, leave) {
  const made = useMemo(() => live(source()), inputs);
  useEffect(() => () => {
    made.stop();
    leave?.();
  }, [made]);
  return made;
}

/**
 * The list with this one in its place, or added.
 * @template {{id: string}} T
 * @param {T[]} list
 * @param {T} one
 */
export const withOne = (list, one) =>
  list.some(({ id }) => id === one.id)
    ? list.map((other) => (other.id === one.id ? one : other))
    : [...list, one];
