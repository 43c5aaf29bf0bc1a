/**
 * How many messages of a conversation are unread, as far as this page can know.
 *
 * The page knows the numbers of the unread messages that arrived here, but not of those from before
 * the list was fetched. A count that depends on such messages is an estimate (`sure` is false), and
 * the caller fetches it from the server.
 */

import { me } from "../state.js";

/** @import { ListedConversation, Message } from "../contracts.js" */
/** @typedef {{unread: number, sure: boolean}} Count */

/** As many unread messages as the server counts. */
const ARRIVED_MAX = 1_000;
/** The numbers of unread messages that arrived here, by conversation.
 * @type {Map<string, Set<number>>} */
const arrived = new Map();

/** @param {ListedConversation} chat */
const arrivedIn = ({ id }) => arrived.get(id) ?? new Set();

/** The count after a new message of another user.
 * @param {ListedConversation} chat @param {Message} message */
export function afterArrival(chat, { seq }) {
  const here = arrivedIn(chat);
  if (here.size >= ARRIVED_MAX) here.clear();
  arrived.set(chat.id, here.add(seq));
  return chat.unread + 1;
}

/** The count after the user has read up to a number.
 * @param {ListedConversation} chat @param {number} seq @returns {Count} */
export function afterReading(chat, seq) {
  const here = arrivedIn(chat);
  const left = new Set([...here].filter((one) => one > seq));
  arrived.set(chat.id, left);
  if (here.size === chat.unread) return { unread: left.size, sure: true };
  const above = Math.max(0, (chat.last_message?.seq ?? 0) - seq);
  const unread = Math.min(chat.unread, above);
  return { unread, sure: !unread };
}

/** The count after a message was deleted or hidden.
 * @param {ListedConversation} chat @param {Message} message @returns {Count} */
export function afterWithdrawal(chat, { seq, sender_id }) {
  const { unread } = chat;
  if (!unread || sender_id === me.value?.id) return { unread, sure: true };
  if (arrivedIn(chat).delete(seq)) return { unread: unread - 1, sure: true };
  return { unread: seq > readUpTo(chat) ? unread - 1 : unread, sure: false };
}

/** The user's own read mark, as far as it is known; it is not in large groups.
 * @param {ListedConversation} chat */
const readUpTo = ({ read }) =>
  (typeof read === "object" ? read[me.value?.id ?? ""] ?? 0 : Infinity);

/** Forgets the numbers in one conversation, or in all. @param {string} [id] */
export function forgetArrived(id) {
  if (id) arrived.delete(id);
  else arrived.clear();
}
