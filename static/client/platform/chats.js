/** The user's conversations, live: last messages, unread counts, read marks, and who is typing. */

import { computed, signal } from "@preact/signals";
import { withOne } from "../live.js";
import { go } from "../router.js";
import { me, myId, parley } from "../state.js";

/** @import { Conversation, ListedConversation, Marks, Message, OwnState } from "../contracts.js" */
/** @import { Meta } from "../parley/typing.js" */

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
const TYPING_MS = 5_000;
let loads = 0;

/** Newest first. @param {ListedConversation[]} list */
const sorted = (list) => list.toSorted((a, b) =>
  (b.last_message?.sent_at ?? "").localeCompare(a.last_message?.sent_at ?? ""));

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
  const chat = chatOf(id);
  if (chat) chats.value = sorted(withOne(chats.value ?? [], change(chat)));
  else if (chats.value) void loadChats();
}

const FRESH = {
  seq: -1, unread: 0, last_message: null, muted_until: null, archived: false, draft: "",
};

/** @param {Conversation} conversation @param {Message | null} [message] its note of this change */
export function noteConversation(conversation, message) {
  const had = chatOf(conversation.id) ?? FRESH;
  // A newer event, with newer marks, may have arrived first.
  if (had.seq > conversation.seq) return undefined;
  if (!conversation.member_ids.includes(myId())) return dropChat(conversation.id);
  const last_message = message ?? had.last_message;
  const marked = withNewerMarks(conversation, chatOf(conversation.id));
  const now = { ...had, marks_seq: undefined, ...marked, last_message };
  chats.value = sorted(withOne(chats.value ?? [], now));
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
  for (const timer of delivered.values()) clearTimeout(timer);
  delivered.clear();
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
    const unread = chat.unread + (mine ? 0 : 1);
    return { ...withoutCounts(chat, message.seq), seq, last_message: message, unread };
  });
});

/** @param {{message: Message}} data @param {{seq?: number}} meta */
const changed = ({ message }, { seq = 0 }) =>
  update(message.conversation_id, (chat) => ({
    ...chat, seq: Math.max(seq, chat.seq),
    last_message: chat.last_message?.id === message.id ? message : chat.last_message,
  }));
parley.on("/chat", "MESSAGE_EDITED", changed);
parley.on("/chat", "MESSAGE_DELETED", changed);
parley.on("/chat", "MESSAGE_HIDDEN", changed);
parley.on("/chat", "MESSAGE_RESTORED", async ({ conversation_id, message_id }) => {
  if (chatOf(conversation_id)?.last_message?.id !== message_id) return;
  const message = await parley.call("/chat", "get", { message_id }).catch(() => null);
  const shown = chatOf(conversation_id)?.last_message;
  if (message && shown?.id === message_id && shown.hidden) changed({ message }, {});
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
      const allRead = mark === "read" && data.user_id === me.value?.id
        && data.seq >= (chat.last_message?.seq ?? 0);
      return {
        ...chat, seq: Math.max(meta.seq ?? 0, chat.seq), unread: allRead ? 0 : chat.unread,
        [mark]: withMark(chat[mark], data),
      };
    });
parley.on("/chat", "MESSAGE_READ", marked("read"));
parley.on("/chat", "MESSAGE_DELIVERED", marked("delivered"));

/** Applies a read mark at once, before its event arrives.
 * @param {string} conversation_id @param {number} seq */
export function noteRead(conversation_id, seq) {
  update(conversation_id, (chat) =>
    (seq >= (chat.last_message?.seq ?? 0) ? { ...chat, unread: 0 } : chat));
}

/** Marks a conversation as unread, or its messages from a sequence number on. Then leaves it,
 * because a conversation that is shown is read again.
 * @param {string} conversation_id @param {number} [seq] */
export async function markUnread(conversation_id, seq) {
  await parley.call("/chat", "mark_unread", { conversation_id, ...(seq && { seq }) });
  go("/chats");
}
// Only the server knows how many messages this makes unread.
parley.on("/chat", "CONVERSATION_MARKED_UNREAD", () => void loadChats());

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
  const chat = chatOf(conversation_id);
  // Only the server knows the message before it, and whether the removed one was unread.
  if (chat && (chat.unread || chat.last_message?.id === message_id)) void loadChats();
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
  if (namespace === "/chat" && connected && chatsRefusal.value && me.value) void loadChats();
});
