/** The texts of system notes in a group's history. */

import { html } from "htm/preact";
import { nameOf, useNames } from "../people.js";
import { told } from "../notices.js";
import { own } from "../../parley/own.js";
import { me } from "../../state.js";

/** @import { Message } from "../../contracts.js" */
/** @typedef {{by: string, whom: string, self: boolean, data: Record<string, any>}} Happened */

/** @type {Record<string, (of: Happened) => string>} */
const WORDS = {
  member_added: ({ by, whom }) => `${by} added ${whom}`,
  member_removed: ({ by, whom }) => `${by} removed ${whom}`,
  member_left: ({ by }) => `${by} left`,
  renamed: ({ by, data }) => `${by} named the group “${data.name}”`,
  picture_changed: ({ by }) => `${by} changed the picture`,
  role_changed: ({ by, whom, self, data }) => {
    if (data.role === "owner") return `${by} made ${whom} an owner`;
    return self ? `${by} gave up being an owner` : `${by} made ${whom} a regular member`;
  },
};

/** @param {string} id */
const whomOf = (id) => (id === me.value?.id ? "you" : nameOf(id));

/** @param {Message} message */
function noteWords({ card, sender_id, text }) {
  const say = card && own(WORDS, card.kind);
  if (!say) return text;
  const by = sender_id ? nameOf(sender_id) : "Someone";
  const self = sender_id === card.id;
  return say({ by, whom: whomOf(card.id), self, data: told(card.data) });
}

/** @param {{message: Message}} props */
export function Note({ message }) {
  useNames([message.sender_id, message.card?.id]);
  return html`<span>${noteWords(message)}</span>`;
}
