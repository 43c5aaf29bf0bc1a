/** Mentions of members in a message: `@` and the first letters suggest names. */

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { chatOf } from "../chats.js";
import { folded } from "../../folding.js";
import { nameOf } from "../people.js";
import { me } from "../../state.js";

/** @import { Signal } from "@preact/signals" */
/** @typedef {{offers: string[], look: () => void, choose: (id: string) => void,
 *   take: () => string[]}} Naming */

const OFFERED_MAX = 6;
const MENTIONS_MAX = 50;
/** The letters after the last `@` before the cursor; names can contain spaces. */
const BEGUN = /(?:^|\s)@([^@\n]{0,40})$/;

/** The beginning of a mention before the cursor, or null. @param {string} before */
export const begunIn = (before) => {
  const found = BEGUN.exec(before);
  return found && folded(found[1]);
};

/** The text before the cursor, with the mention completed.
 * @param {string} before @param {string} name */
export const named = (before, name) => before.replace(/@[^@\n]*$/, () => `@${name} `);

/** @param {string} name @param {string} begun */
const begins = (name, begun) =>
  folded(name).startsWith(begun) || folded(name).includes(` ${begun}`);

/**
 * @param {string} conversation_id
 * @param {Signal<string>} text of the field
 * @param {{current: HTMLTextAreaElement | null}} area
 * @returns {Naming}
 */
export function useMentions(conversation_id, text, area) {
  /** The beginning of a mention, or null. */
  const begun = useSignal(/** @type {string | null} */ (null));
  const chosen = useRef(/** @type {Map<string, string>} */ (new Map()));
  const before = () => text.value.slice(0, area.current?.selectionStart ?? text.value.length);
  const look = () => {
    begun.value = begunIn(before());
  };
  const choose = (/** @type {string} */ id) => {
    const start = named(before(), nameOf(id));
    chosen.current.set(id, `@${nameOf(id)}`);
    text.value = start + text.value.slice(before().length);
    begun.value = null;
    area.current?.focus();
  };
  const take = () => {
    const kept = [...chosen.current].filter(([, name]) => text.value.includes(name));
    chosen.current = new Map();
    begun.value = null;
    return kept.map(([id]) => id).slice(0, MENTIONS_MAX);
  };
  const wanted = begun.value;
  const members = wanted === null ? [] : chatOf(conversation_id)?.member_ids ?? [];
  const offers = members
    .filter((id) => id !== me.value?.id && begins(nameOf(id), wanted ?? ""));
  return { offers: offers.slice(0, OFFERED_MAX), look, choose, take };
}

/** @param {{mentions: Naming}} props */
export const Mentions = ({ mentions: { offers, choose } }) => offers.length > 0 && html`
  <div class="actions offers" role="group" aria-label="Mention" data-test="offers">
    ${offers.map((id) => html`
      <button key=${id} type="button" onClick=${() => choose(id)}>@${nameOf(id)}</button>`)}
  </div>`;
