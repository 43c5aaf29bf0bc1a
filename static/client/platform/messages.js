/** The messages of a conversation, live, and the messages that are still being sent. */

import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { useLive, withOne } from "../live.js";
import { newId } from "../parley.js";
import { myRoom, parley } from "../state.js";

/** @import { Message } from "../contracts.js" */
/** @typedef {{messages: Message[], has_more: boolean}} History */
/**
 * @typedef {{client_id: string, conversation_id: string, text: string, reply_to: string | null,
 *   mentions: string[], refusal: any}} Outgoing
 */

const PAGE = 50;

/** @param {Message[]} messages */
const inOrder = (messages) => messages.toSorted((a, b) => a.seq - b.seq);

/** @param {History} history @param {{message: Message}} data */
const sent = (history, { message }) =>
  ({ ...history, messages: inOrder(withOne(history.messages, message)) });

/** Changes of a group add a message to its history.
 * @param {History} history @param {{message?: Message | null}} data */
const noted = (history, { message }) => (message ? sent(history, { message }) : history);

/** Replaces a message; one that is not loaded here is ignored.
 * @template {{messages: Message[]}} T
 * @param {T} history @param {{message: Message}} data @returns {T} */
export const edited = (history, { message }) => ({
  ...history,
  messages: history.messages.map((one) => (one.id === message.id ? message : one)),
});

/** @param {History} history
 * @param {{message_id: string, reactions: Message["reactions"]}} data */
const reacted = (history, { message_id, reactions }) => ({
  ...history,
  messages: history.messages.map((one) => (one.id === message_id ? { ...one, reactions } : one)),
});

/** @param {History} history
 * @param {{message_id: string, preview: Message["preview"]}} data */
const previewed = (history, { message_id, preview }) => ({
  ...history,
  messages: history.messages.map((one) => (one.id === message_id ? { ...one, preview } : one)),
});

/** @param {string} conversation_id @param {number} [before_seq] */
async function load(conversation_id, before_seq) {
  const page = await parley.call("/chat", "history", { conversation_id, before_seq, limit: PAGE });
  return { ...page, messages: inOrder(page.messages) };
}

/** @param {string} conversation_id @returns {import("../live.js").Source<History>} */
export const historyOf = (conversation_id) => ({
  namespace: "/chat", room: `chat:${conversation_id}`,
  load: () => load(conversation_id),
  events: {
    MESSAGE_SENT: sent, MESSAGE_EDITED: edited, MESSAGE_DELETED: edited,
    MESSAGE_HIDDEN: edited, MESSAGE_RESTORED: (history) => history, MESSAGE_REACTED: reacted,
    MESSAGE_PREVIEWED: previewed,
    CONVERSATION_CHANGED: noted, MEMBER_ADDED: noted, MEMBER_REMOVED: noted,
  },
});

/** The link to a message in its conversation. @param {Message} message */
export const placeOf = ({ conversation_id, seq }) => `#/chats/${conversation_id}?at=${seq}`;

/** The sequence number in such a link, if any. @param {URLSearchParams} query */
export const placeIn = (query) => Number.parseInt(query.get("at") ?? "", 10) || null;

/** The messages around a sequence number, live, without new messages.
 * @param {string} conversation_id @param {number} at
 * @returns {import("../live.js").Source<History>} */
export function passageOf(conversation_id, at) {
  const source = historyOf(conversation_id);
  const still = (/** @type {History} */ history) => history;
  return {
    ...source,
    load: () => load(conversation_id, at + PAGE / 2),
    events: {
      ...source.events, MESSAGE_SENT: still,
      CONVERSATION_CHANGED: still, MEMBER_ADDED: still, MEMBER_REMOVED: still,
    },
  };
}

/** The newest messages, or those around the sequence number `at`.
 * @param {string} conversation_id @param {number | null} at */
export function useMessages(conversation_id, at) {
  const live = useLive(
    () => (at ? passageOf(conversation_id, at) : historyOf(conversation_id)),
    [conversation_id, at]);
  useEffect(() => parley.on("/chat", "MESSAGE_RESTORED", ({ message_id }) =>
    void showAgain(live.state, message_id)), [live]);
  // Removals arrive in the user's own room, so a lost event there may be about these messages.
  useEffect(() => parley.on("unrecovered", ({ namespace, room }) => {
    if (namespace === "/chat" && room === myRoom()) void live.reload();
  }), [live]);
  return live;
}

/** Fetches a message that is no longer hidden, because the event does not contain it. Does nothing
 * if another event has changed the message meanwhile.
 * @param {import("@preact/signals").Signal<History | null>} state @param {string} message_id */
async function showAgain(state, message_id) {
  const hidden = () =>
    state.value?.messages.some((one) => one.id === message_id && one.hidden);
  if (!hidden()) return;
  const message = await parley.call("/chat", "get", { message_id }).catch(() => null);
  if (message && state.value && hidden()) state.value = edited(state.value, { message });
}

/** Whether a message still has its content. @param {Message} message */
export const isShown = ({ deleted, hidden }) => !deleted && !hidden;

const CHANGES =
  /** @type {const} */ (["MESSAGE_EDITED", "MESSAGE_DELETED", "MESSAGE_HIDDEN"]);

/** Follows messages that are shown outside their history, such as the originals of replies.
 * @param {(message_id: string) => boolean} shows
 * @param {(message: Message) => void} change @returns {() => void} stops it */
export function onChanges(shows, change) {
  let changes = 0;
  const stops = CHANGES.map((event) => parley.on("/chat", event, ({ message }) => {
    if (!shows(message.id)) return;
    changes++;
    change(message);
  }));
  stops.push(parley.on("/chat", "MESSAGE_RESTORED", async ({ message_id }) => {
    if (!shows(message_id)) return;
    const before = ++changes;
    const message = await parley.call("/chat", "get", { message_id }).catch(() => null);
    // A later event may have changed it again.
    if (message && changes === before) change(message);
  }));
  return () => stops.forEach((stop) => stop());
}

/** The messages that the user removed for themselves, here or on another device. */
const removed = signal(/** @type {ReadonlySet<string>} */ (new Set()));
parley.on("/chat", "MESSAGE_REMOVED", ({ message_id }) => {
  removed.value = new Set(removed.value).add(message_id);
  if (answering.value?.id === message_id) answering.value = null;
});

/** The messages without those that the user removed. @param {Message[]} messages */
export const kept = (messages) => messages.filter(({ id }) => !removed.value.has(id));

/**
 * @param {string} conversation_id
 * @param {import("@preact/signals").Signal<History | null>} state
 */
export async function loadOlder(conversation_id, state) {
  const before_seq = state.value?.messages[0]?.seq;
  if (before_seq === undefined) return;
  const page = await parley.call("/chat", "history",
    { conversation_id, before_seq, limit: PAGE });
  const { messages } = /** @type {History} */ (state.value);
  state.value = {
    has_more: page.has_more,
    messages: inOrder(page.messages.reduce(withOne, messages)),
  };
}

export const outgoing = signal(/** @type {Outgoing[]} */ ([]));
/** @type {Map<string, Promise<void>>} The last send of each conversation, to send in order. */
const lines = new Map();

parley.on("signed_out", () => {
  outgoing.value = [];
  removed.value = new Set();
  answering.value = null;
  lines.clear();
});

/** @param {string} client_id */
const isOutgoing = (client_id) => outgoing.value.some((one) => one.client_id === client_id);

/** @param {string} client_id */
export const takeOut = (client_id) => {
  outgoing.value = outgoing.value.filter((one) => one.client_id !== client_id);
};

/** @param {Outgoing} one */
async function post({ client_id, refusal: _, ...said }) {
  // Its author may have signed out while it waited.
  if (!isOutgoing(client_id)) return;
  try {
    await parley.call("/chat", "send", { client_id, ...said });
    takeOut(client_id);
  } catch (refusal) {
    outgoing.value = withRefusal(client_id, refusal);
  }
}

/** @param {Outgoing} one */
function enqueue(one) {
  const before = lines.get(one.conversation_id) ?? Promise.resolve();
  lines.set(one.conversation_id, before.then(() => post(one)));
}

/** @param {string} client_id @param {any} refusal */
const withRefusal = (client_id, refusal) =>
  outgoing.value.map((one) => (one.client_id === client_id ? { ...one, refusal } : one));

/** The message that the user is replying to. */
export const answering = signal(/** @type {Message | null} */ (null));
onChanges((message_id) => answering.value?.id === message_id, (message) => {
  answering.value = isShown(message) ? message : null;
});

/** @param {string} conversation_id @param {string} text @param {string[]} [mentions] */
export function send(conversation_id, text, mentions = []) {
  const reply_to = answering.value?.conversation_id === conversation_id ? answering.value.id : null;
  answering.value = null;
  const one = { conversation_id, text, mentions, reply_to, client_id: newId(), refusal: null };
  outgoing.value = [...outgoing.value, one];
  enqueue(one);
}

/** Retries with the same `client_id`, so that the message cannot appear twice.
 * @param {Outgoing} one */
export function sendAgain(one) {
  outgoing.value = withRefusal(one.client_id, null);
  enqueue(one);
}
