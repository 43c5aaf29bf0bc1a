/** The answer of a query, fetched again when its inputs change. */

import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";

/**
 * @template T
 * @param {() => Promise<T>} ask
 * @param {unknown[]} inputs
 */
export function useLoaded(ask, inputs) {
  const value = useSignal(/** @type {T | null} */ (null));
  const error = useSignal(/** @type {any} */ (null));
  /** The number of the latest request; answers to older ones are ignored. */
  const turn = useSignal(0);
  const load = async () => {
    const mine = (turn.value = turn.peek() + 1);
    error.value = null;
    try {
      const answer = await ask();
      if (mine === turn.peek()) value.value = answer;
    } catch (refusal) {
      if (mine === turn.peek()) error.value = refusal;
    }
  };
  useEffect(() => void load(), inputs);
  return { value: value.value, error: error.value, load, set: (/** @type {T} */ to) => {
    value.value = to;
  } };
}
