/** The pinned messages of a conversation, live. */

import { useEffect } from "preact/hooks";
import { useLive } from "../live.js";
import { parley } from "../state.js";

/** @import { Message } from "../contracts.js" */
/** @typedef {{messages: Message[]}} Pins */

/** @param {Pins} pins @param {string} id */
const without = (pins, id) =>
  ({ ...pins, messages: pins.messages.filter((one) => one.id !== id) });

/** @param {Pins} pins @param {{message: Message}} data */
const edited = (pins, { message }) =>
  ({ ...pins, messages: pins.messages.map((one) => (one.id === message.id ? message : one)) });

/** @param {string} conversation_id @returns {import("../live.js").Source<Pins>} */
export const pinsOf = (conversation_id) => ({
  namespace: "/chat", room: `chat:${conversation_id}`,
  load: () => parley.call("/chat", "pins", { conversation_id }),
  events: {
    MESSAGE_PINNED: (pins, { message_id }) => without(pins, message_id),
    MESSAGE_DELETED: (pins, { message }) => without(pins, message.id),
    MESSAGE_EDITED: edited, MESSAGE_HIDDEN: edited, MESSAGE_RESTORED: (pins) => pins,
  },
});

/** @param {string} conversation_id */
export function usePins(conversation_id) {
  const live = useLive(() => pinsOf(conversation_id), [conversation_id]);
  // These events do not contain the message, so the pins are fetched again.
  useEffect(() => parley.on("/chat", "MESSAGE_PINNED", (told) => {
    if (told.conversation_id === conversation_id && told.pinned) void live.reload();
  }), [live]);
  useEffect(() => parley.on("/chat", "MESSAGE_RESTORED", (told) => {
    const hidden = live.state.value?.messages.some(({ id }) => id === told.message_id);
    if (hidden) void live.reload();
  }), [live]);
  return live;
}
