/** A consultant's upcoming blocks, and whether they are available now, live. */

import { useLive, withOne } from "../live.js";
import { parley } from "../state.js";
import { inDays } from "../when.js";

/** @import { Block } from "../contracts.js" */

/** @typedef {{blocks: Block[], available_now: boolean}} Times */

export const DAYS_SHOWN = 28;

/**
 * Watches before it fetches the list, so that no event is missed meanwhile. An event about a block
 * that the list already includes changes nothing.
 * @param {string} consultant_id
 * @returns {Promise<Times & {seq: number}>}
 */
async function load(consultant_id) {
  const { available_now, seq } = await parley.call("/availability", "watch", { consultant_id });
  const { blocks } = await parley.call("/availability", "list_blocks",
    { consultant_id, from: inDays(0), to: inDays(DAYS_SHOWN) });
  return { blocks, available_now, seq };
}

/** @param {Times} times @param {{block: Block}} data */
const withBlock = (times, { block }) => ({ ...times, blocks: withOne(times.blocks, block) });

/** @param {Times} times @param {{blocks: Block[]}} data */
const withBlocks = (times, { blocks }) =>
  ({ ...times, blocks: blocks.reduce(withOne, times.blocks) });

/** @param {string} consultant_id */
export const useBlocks = (consultant_id) => useLive(
  () => ({
    namespace: "/availability", room: `consultant:${consultant_id}`,
    load: () => load(consultant_id),
    events: {
      DEFAULT_SCHEDULE_SET: withBlocks, WEEKLY_SCHEDULE_UPDATED: withBlocks,
      AVAILABILITY_UPDATED: withBlock, AVAILABILITY_BLOCK_FULL: withBlock,
      AVAILABILITY_BLOCK_AVAILABLE: withBlock,
      AVAILABLE_NOW_STATUS_CHANGED: (times, { available }) =>
        ({ ...times, available_now: available }),
    },
  }),
  [consultant_id],
  () => void parley.call("/availability", "unwatch", { consultant_id }).catch(() => {}),
);
