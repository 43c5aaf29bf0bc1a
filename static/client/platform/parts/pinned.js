/** The pinned messages of a conversation, shown above its history. */

import { html } from "htm/preact";
import { placeOf } from "../messages.js";
import { Name } from "../people.js";
import { parley } from "../../state.js";
import { Do } from "../../parts/form.js";
import { isOwner } from "./group.js";
import { excerpt } from "./quote.js";

/** @import { ListedConversation, Message } from "../../contracts.js" */

/** Whether the user can pin messages; in a group only owners can.
 * @param {ListedConversation | undefined} chat */
export const mayPin = (chat) => !!chat && (chat.kind === "direct" || isOwner(chat));

/** @param {string} message_id @param {boolean} on */
export const pin = (message_id, on) => parley.call("/chat", "pin", { message_id, on });

/** @param {{messages: Message[], chat?: ListedConversation}} props */
export function Pinned({ messages, chat }) {
  if (!messages.length) return null;
  return html`
    <details class="pinned" data-test="pinned" open>
      <summary>Pinned (${messages.length})</summary>
      <ul class="list">${messages.map((message) => html`
        <li key=${message.id}>
          <span><${Name} id=${message.sender_id ?? ""} />: <a href=${placeOf(message)}>
            <bdi>${excerpt(message)}</bdi></a></span>
          ${mayPin(chat) && html`<${Do} class="plain" action=${() => pin(message.id, false)}
            aria-label=${`Unpin: ${excerpt(message)}`}>Unpin<//>`}
        </li>`)}</ul>
    </details>`;
}
