/** The current text of the message that a reply answers; the reply itself has no copy. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { kept, onChanges, placeOf } from "../messages.js";
import { parley } from "../../state.js";
import { useLoaded } from "../../parts/loaded.js";

/** @import { Message } from "../../contracts.js" */

const LENGTH = 120;

/** @param {Message} message */
export function excerpt({ deleted, hidden, text, media, card }) {
  if (deleted) return "a deleted message";
  if (hidden) return "a hidden message";
  const said = text || media?.name || card?.kind || "";
  return said.length > LENGTH ? `${said.slice(0, LENGTH)} …` : said;
}

/** @param {{message_id: string, known: Message[]}} props */
export function Quote({ message_id, known }) {
  const here = known.find(({ id }) => id === message_id);
  const find = async () =>
    here ?? parley.call("/chat", "get", { message_id }).catch(() => null);
  const { value, load, set } = useLoaded(find, [message_id]);
  useEffect(() => onChanges((id) => id === message_id, set), [message_id]);
  useEffect(() => parley.on("unrecovered", ({ namespace }) =>
    void (namespace === "/chat" && load())), [message_id]);
  const asked = here ?? kept(value ? [value] : [])[0];
  return html`<blockquote class="quote quiet" data-test="quote">
    ${asked ? html`<a href=${placeOf(asked)}>${excerpt(asked)}</a>`
      : "an earlier message"}</blockquote>`;
}
