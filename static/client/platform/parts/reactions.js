/** The reactions to a message, each a button that adds or removes the user's own. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { me, parley } from "../../state.js";
import { Do } from "../../parts/form.js";

/** @import { Message } from "../../contracts.js" */

const OFFERED = ["\u{1F44D}", "\u2764\uFE0F", "\u{1F602}", "\u{1F62E}", "\u{1F622}", "\u{1F64F}"];

/** @param {{message: Message}} props */
export function Reactions({ message }) {
  const choosing = useSignal(false);
  const react = async (/** @type {string} */ emoji, /** @type {boolean} */ on) => {
    choosing.value = false;
    await parley.call("/chat", "react", { message_id: message.id, emoji, on });
  };
  const shown = message.reactions ?? [];
  return html`
    <div class="actions reactions" data-test="reactions">
      ${shown.map(({ emoji, count, user_ids }) => {
        const mine = user_ids.includes(me.value?.id ?? "");
        return html`<${Do} key=${emoji} class="plain" aria-pressed=${mine}
          action=${() => react(emoji, !mine)}>${emoji} ${count}<//>`;
      })}
      ${choosing.value
        ? OFFERED.map((emoji) => html`<${Do} key=${`offer ${emoji}`} class="plain"
            aria-label=${`React with ${emoji}`} action=${() => react(emoji, true)}>${emoji}<//>`)
        : html`<button type="button" class="plain" onClick=${() => (choosing.value = true)}>
            React</button>`}
    </div>`;
}
