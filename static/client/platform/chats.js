/** The user's conversations, live: last messages, unread counts, read marks, and who is typing. */

import { computed, signal } from "@preact/signals";
import { withOne } from "../live.js";
import { go } from "../router.js";
import { me, myId, parley } from "../state.js";
import { afterArrival, afterReading, afterWithdrawal, forgetArrived } from "./unread.js";

/** @import { Conversation, ListedConversation, Marks, Message, OwnState } from "../contracts.js" */
/** @import { Meta } from "../parley/typing.js" */
/** @import { Count } from "./unread.js" */

export const chats = signal(/** @type {ListedConversation[] | null} */ (null));
export const chatsRefusal = signal(/** @type {any} */ (null));
/** The time of each person's last `typing` event in ms, by `conversation/user`. */
export const typing = signal(/** @type {ReadonlyMap<string, number>} */ (new Map()));

/** @param {Pick<OwnState, "muted_until">} chat */
export const isMuted = ({ muted_until }) => !!muted_until && Date.parse(muted_until) > Date.now();

/** The number of unread messages, without muted conversations.
 * @param {ListedConversation[]} list */
export const unreadIn = (list) =>
  list.reduce((sum, chat) => sum + (isMuted(chat) ? 0 : chat.unread), 0);
export const unreadMessages = computed(() => unreadIn(chats.value ?? []));

/** The number of the newest message, which the counts of a large group are about, by conversation.
 * @type {Map<string, number>} */
const counted = new Map();

const DELIVERED_AFTER_MS = 400;
const FETCHED_AGAIN_AFTER_MS = 100;
const TYPING_MS = 5_000;
let loads = 0;

/** When a conversation was created, in ms: the time in its id. @param {string} id */
const createdAt = (id) => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);

/** @param {ListedConversation} chat */
const activeAt = ({ id, last_message }) =>
  (last_message ? Date.parse(last_message.sent_at) : createdAt(id));

/** The most recently active first, as on the server. @param {ListedConversation[]} list */
const sorted = (list) => list.toSorted((a, b) =>
  activeAt(b) - activeAt(a) || (a.id < b.id ? 1 : -1));

/** The conversations that events changed since the last list was asked for.
 * @type {Set<string>} */
const touched = new Set();
/** The conversations to fetch again, with their timers.
 * @type {Map<string, ReturnType<typeof setTimeout>>} */
const outdated = new Map();
/** The conversations that could not be fetched again; the next connection tries it.
 * @type {Set<string>} */
const unfetched = new Set();

/** The user's own settings and draft of each conversation, with the number of the event.
 * @type {Map<string, {seq: number, state: OwnState}>} */
const adjusted = new Map();

/** @param {Pick<OwnState, "muted_until" | "archived" | "draft">} state */
const own = ({ muted_until, archived, draft }) => ({ muted_until, archived, draft });

/** A listed conversation with the user's own state, if an event newer than the page changed it.
 * @param {ListedConversation} chat @param {number} seq */
function withOwn(chat, seq) {
  const told = adjusted.get(chat.id);
  return told && told.seq > seq ? { ...chat, ...own(told.state) } : chat;
}

/** A conversation with the marks of `had`, if these are newer. A group that grew or shrank may have
 * counts in place of a mark for each member.
 * @template {Conversation} C
 * @param {C} chat @param {ListedConversation | undefined} had @returns {C} */
function withNewerMarks(chat, had) {
  const newer = (had?.marks_seq ?? 0) > (chat.marks_seq ?? Infinity);
  if (!had || !newer || typeof had.read !== typeof chat.read) return chat;
  return { ...chat, read: had.read, delivered: had.delivered, marks_seq: had.marks_seq };
}

/** @param {boolean} archived */
async function everyPage(archived) {
  const all = [];
  /** @type {string | null | undefined} */
  let before;
  do {
    const ask = { limit: 50, archived, ...(before && { before }) };
    const page = await parley.call("/chat", "list", ask);
    all.push(...page.conversations.map((chat) => withOwn(chat, page.seq)));
    before = page.next;
  } while (before && all.length < 500);
  return all;
}

/** All conversations, archived or not; one that moved meanwhile is in both lists. */
async function everyChat() {
  const all = [...await everyPage(false), ...await everyPage(true)];
  return [...new Map(all.map((chat) => [chat.id, chat])).values()];
}

export async function loadChats() {
  const load = ++loads;
  touched.clear();
  forgetArrived();
  try {
    const fresh = await everyChat();
    if (load !== loads) return;
    // An event may have arrived while the list was being fetched.
    chats.value = sorted(fresh.map((chat) => {
      const had = chats.value?.find(({ id }) => id === chat.id);
      return had && had.seq > chat.seq ? { ...had, ...own(chat) } : withNewerMarks(chat, had);
    }));
    chatsRefusal.value = null;
    for (const chat of fresh) parley.begin("/chat", `chat:${chat.id}`, chat.seq);
    for (const { last_message, unread } of chats.value) {
      if (last_message && unread) tellDelivered(last_message);
    }
    // Only the server knows whether its list is older than the events that arrived meanwhile.
    touched.forEach(fetchAgain);
  } catch (refusal) {
    if (load === loads) chatsRefusal.value = refusal;
  }
}

export function startChats() {
  loads++;
  chats.value = null;
  chatsRefusal.value = null;
  if (me.value) void loadChats();
}

/** @param {string} id */
export const chatOf = (id) => chats.value?.find((chat) => chat.id === id);

/** @param {string} id @param {(chat: ListedConversation) => ListedConversation} change */
function update(id, change) {
  touched.add(id);
  const chat = chatOf(id);
  if (chat) chats.value = sorted(withOne(chats.value ?? [], change(chat)));
  else if (chats.value) fetchAgain(id);
}

/** Fetches a conversation again after a short delay, so that a burst of events is one command.
 * @param {string} id */
function fetchAgain(id) {
  if (outdated.has(id)) return;
  outdated.set(id, setTimeout(() => {
    outdated.delete(id);
    void fetchOne(id);
  }, FETCHED_AGAIN_AFTER_MS));
}

/** @param {string} id */
async function fetchOne(id) {
  const had = chatOf(id);
  try {
    const { conversations: [chat], seq } = await parley.call("/chat", "list", { only: id });
    if (!chats.value) return;
    // An event may have changed it while it was being fetched.
    if (chatOf(id) !== had) return fetchAgain(id);
    if (!had) parley.begin("/chat", `chat:${id}`, chat.seq);
    chats.value = sorted(withOne(chats.value, withNewerMarks(withOwn(chat, seq), had)));
  } catch (/** @type {any} */ { code }) {
    if (code !== "NOT_FOUND") unfetched.add(id);
  }
}

const FRESH = {
  seq: -1, unread: 0, last_message: null, muted_until: null, archived: false, draft: "",
};

/** @param {Conversation} conversation @param {Message | null} [message] its note of this change */
export function noteConversation(conversation, message) {
  const known = chatOf(conversation.id);
  const had = known ?? FRESH;
  // A newer event, with newer marks, may have arrived first.
  if (had.seq > conversation.seq) return undefined;
  if (!conversation.member_ids.includes(myId())) return dropChat(conversation.id);
  const last_message = message ?? had.last_message;
  const marked = withNewerMarks(conversation, known);
  const now = { ...had, marks_seq: undefined, ...marked, last_message };
  chats.value = sorted(withOne(chats.value ?? [], now));
  // A member who comes back finds the conversation muted or archived as before.
  if (!known) fetchAgain(conversation.id);
}

/** Opens the conversation with this person, existing or new. @param {string} user_id */
export async function openChat(user_id) {
  const conversation = await parley.call("/chat", "open", { user_id });
  noteConversation(conversation);
  go(`/chats/${conversation.id}`);
}

/** @param {string} id */
export function dropChat(id) {
  chats.value = (chats.value ?? []).filter((chat) => chat.id !== id);
}

/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const delivered = new Map();
parley.on("signed_out", () => {
  for (const timer of [...delivered.values(), ...outdated.values()]) clearTimeout(timer);
  for (const state of [delivered, outdated, unfetched]) state.clear();
  forgetArrived();
  typing.value = new Map();
  adjusted.clear();
  counted.clear();
});

/** The user's own delivery mark in a conversation. @param {string} id */
function deliveredTo(id) {
  const marks = chatOf(id)?.delivered;
  return typeof marks === "object" ? marks[me.value?.id ?? ""] ?? 0 : 0;
}

/** Marks a message as delivered after a short delay, so that a burst of messages is one command.
 * @param {Message} message */
function tellDelivered({ conversation_id, sender_id, seq }) {
  if (sender_id === me.value?.id || seq <= deliveredTo(conversation_id)) return;
  clearTimeout(delivered.get(conversation_id));
  delivered.set(conversation_id, setTimeout(() => {
    parley.call("/chat", "mark_delivered", { conversation_id, seq }).catch(() => {});
  }, DELIVERED_AFTER_MS));
}

parley.on("/chat", "MESSAGE_SENT", ({ message }, meta) => {
  stopTyping(message.conversation_id, message.sender_id);
  const mine = message.sender_id === me.value?.id;
  tellDelivered(message);
  update(message.conversation_id, (chat) => {
    const seq = meta.seq ?? message.seq;
    if (seq <= chat.seq) return chat;
    const unread = mine ? chat.unread : afterArrival(chat, message);
    return { ...withoutCounts(chat, message.seq), seq, last_message: message, unread };
  });
});

/** A conversation with a new count, which is fetched if it is an estimate.
 * @param {ListedConversation} chat @param {Count} count */
function withCount(chat, { unread, sure }) {
  if (!sure) fetchAgain(chat.id);
  return { ...chat, unread };
}

/** @param {{message: Message}} data @param {{seq?: number}} meta */
const changed = ({ message }, { seq = 0 }) =>
  update(message.conversation_id, (chat) => ({
    ...chat, seq: Math.max(seq, chat.seq),
    last_message: chat.last_message?.id === message.id ? message : chat.last_message,
  }));
parley.on("/chat", "MESSAGE_EDITED", changed);

/** A deleted or hidden message is not unread any more.
 * @param {{message: Message}} data @param {Meta} meta */
function withdrawn({ message }, meta) {
  update(message.conversation_id, (chat) =>
    ((meta.seq ?? 0) > chat.seq ? withCount(chat, afterWithdrawal(chat, message)) : chat));
  changed({ message }, meta);
}
parley.on("/chat", "MESSAGE_DELETED", withdrawn);
parley.on("/chat", "MESSAGE_HIDDEN", withdrawn);
// The event contains neither the message nor whether the user has read it.
parley.on("/chat", "MESSAGE_RESTORED", ({ conversation_id }) => {
  if (chatOf(conversation_id)) fetchAgain(conversation_id);
});

/** Marks with the one of an event. Large groups have a count instead, which the next list updates.
 * @param {Record<string, number> | number} marks @param {{user_id: string, seq: number}} data */
function withMark(marks, { user_id, seq }) {
  if (typeof marks === "number") return marks;
  return { ...marks, [user_id]: Math.max(seq, marks[user_id] ?? 0) };
}

/** A conversation after a new message, which nobody in a large group has read or received yet.
 * @param {ListedConversation} chat @param {number} seq @returns {ListedConversation} */
function withoutCounts(chat, seq) {
  if (typeof chat.read !== "number" || seq <= (counted.get(chat.id) ?? 0)) return chat;
  counted.set(chat.id, seq);
  return { ...chat, read: 0, delivered: 0 };
}

/** Applies the marks of a group of more than five, unless they are older than those known.
 * @param {Omit<Marks, "seq">} marks @param {number} seq */
export function noteMarks({ conversation_id, read, delivered, message_seq }, seq) {
  update(conversation_id, (chat) => {
    const older = seq < (chat.marks_seq ?? 0)
      || (message_seq ?? Infinity) < (counted.get(conversation_id) ?? 0);
    if (older) return chat;
    if (message_seq !== null) counted.set(conversation_id, message_seq);
    return { ...chat, read, delivered, marks_seq: seq };
  });
}
parley.on("/chat", "MARKS_GATHERED", (marks, { seq = 0 }) => noteMarks(marks, seq));
parley.on("watched", ({ namespace, data }) => {
  if (namespace === "/chat") noteMarks(data, data.seq);
});

/** @param {"read" | "delivered"} mark */
const marked = (mark) =>
  (/** @type {{conversation_id: string, user_id: string, seq: number}} */ data,
    /** @type {Meta} */ meta) =>
    update(data.conversation_id, (chat) => {
      const mine = mark === "read" && data.user_id === me.value?.id;
      return {
        ...(mine ? withCount(chat, afterReading(chat, data.seq)) : chat),
        seq: Math.max(meta.seq ?? 0, chat.seq), [mark]: withMark(chat[mark], data),
      };
    });
parley.on("/chat", "MESSAGE_READ", marked("read"));
parley.on("/chat", "MESSAGE_DELIVERED", marked("delivered"));

/** Applies a read mark at once, before its event arrives.
 * @param {string} conversation_id @param {number} seq */
export function noteRead(conversation_id, seq) {
  update(conversation_id, (chat) => withCount(chat, afterReading(chat, seq)));
}

/** Applies a change of the user's draft at once, before its event arrives.
 * @param {string} conversation_id @param {string} draft */
export function noteDraft(conversation_id, draft) {
  if (chatOf(conversation_id)?.draft !== draft) {
    update(conversation_id, (chat) => ({ ...chat, draft }));
  }
}

/** Marks a conversation as unread, or its messages from a sequence number on. Then leaves it,
 * because a conversation that is shown is read again.
 * @param {string} conversation_id @param {number} [seq] */
export async function markUnread(conversation_id, seq) {
  await parley.call("/chat", "mark_unread", { conversation_id, ...(seq && { seq }) });
  go("/chats");
}
// Only the server knows how many messages this makes unread.
parley.on("/chat", "CONVERSATION_MARKED_UNREAD", ({ conversation_id }) => {
  forgetArrived(conversation_id);
  fetchAgain(conversation_id);
});

/** Some of these events arrive both in the conversation's room and in the user's own. The
 * conversation's `seq` decides which is newer.
 * @param {{conversation: Conversation, message?: Message | null}} data */
const conversationChanged = ({ conversation, message }) =>
  void (me.value && noteConversation(conversation, message));
parley.on("/chat", "CONVERSATION_OPENED", conversationChanged);
parley.on("/chat", "CONVERSATION_CHANGED", conversationChanged);
parley.on("/chat", "MEMBER_ADDED", conversationChanged);
parley.on("/chat", "MEMBER_REMOVED", conversationChanged);

parley.on("/chat", "CONVERSATION_ADJUSTED", ({ state }, { seq = 0 }) => {
  adjusted.set(state.conversation_id, { seq, state });
  update(state.conversation_id, (chat) => ({ ...chat, ...own(state) }));
});
parley.on("/chat", "CONVERSATION_READ", ({ user_id, conversation_id, seq }) => {
  noteRead(conversation_id, seq);
  update(conversation_id, (chat) => ({ ...chat, read: withMark(chat.read, { user_id, seq }) }));
});
parley.on("/chat", "MESSAGE_REMOVED", ({ conversation_id, message_id }) => {
  touched.add(conversation_id);
  const chat = chatOf(conversation_id);
  // Only the server knows the message before it, and whether the removed one was unread.
  if (!chat || !(chat.unread || chat.last_message?.id === message_id)) return;
  forgetArrived(conversation_id);
  fetchAgain(conversation_id);
});

parley.on("/chat", "typing", ({ conversation_id, user_id }) => {
  typing.value = new Map(typing.value).set(`${conversation_id}/${user_id}`, Date.now());
  setTimeout(() => {
    const at = typing.value.get(`${conversation_id}/${user_id}`) ?? 0;
    if (Date.now() - at >= TYPING_MS) stopTyping(conversation_id, user_id);
  }, TYPING_MS + 50);
});

/** @param {string} conversation_id @param {string | null} user_id */
function stopTyping(conversation_id, user_id) {
  const left = new Map(typing.value);
  if (left.delete(`${conversation_id}/${user_id}`)) typing.value = left;
}

parley.on("unrecovered", ({ namespace, room }) => {
  // Each event about gathered marks contains all of them.
  if (namespace !== "/chat" || room.startsWith("marks:") || !me.value) return;
  adjusted.clear();
  void loadChats();
});
parley.on("connection", ({ namespace, connected }) => {
  if (namespace !== "/chat" || !connected || !me.value) return;
  if (chatsRefusal.value) void loadChats();
  unfetched.forEach(fetchAgain);
  unfetched.clear();
});
