/** The list of conversations: its order, its unread counts, and what events change in it. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { sessionNumber } from "./fake_server.mjs";
import { openPage, signIn } from "./page.mjs";

let server;
let parley;
let close;
let chats;
let listed;

before(async () => {
  ({ server, parley, close } = await openPage());
  chats = await import("../../static/client/platform/chats.js");
});
after(() => close());

const message = (seq) =>
  ({ id: `m${seq}`, conversation_id: "c", sender_id: "ben", seq, sent_at: "" });
const chat = (seq, more = {}) => ({
  id: "c", kind: "direct", name: null, member_ids: ["ada", "ben"], seq,
  read: {}, delivered: {}, unread: 0, last_message: message(seq), muted_until: null,
  archived: false, draft: "", ...more,
});
const group = (seq, name) => ({
  id: "c", kind: "group", name, member_ids: ["ada", "ben"], owner_ids: ["ben"], picture_id: null,
  seq, read: {}, delivered: {},
});
const note = (seq) => ({ ...message(seq), kind: "system", card: { kind: "renamed", id: "ben" } });

/** Emits an event of /chat, and waits until the client has received it. */
async function emit(event, data, room, seq) {
  const heard = new Promise((resolve) => {
    const stop = parley.on("/chat", event, () => queueMicrotask(() => resolve(stop())));
  });
  const meta = { room, seq, id: `${room} ${seq}`, at: "2026-01-01T00:00:00Z" };
  server.emit("/chat", event, data, meta);
  await heard;
}

/** Resolves when the unread count of the conversation is this one. */
const unreadIs = (count) => new Promise((resolve) => {
  chats.chats.subscribe((all) => all?.[0]?.unread === count && resolve());
});
const lists = () => server.commands("list").filter(({ payload }) => payload.only);

beforeEach(async () => {
  await parley.logout();
  server.asked = [];
  listed = [];
  server.answer = () => ({ ok: true, data: { conversations: listed, next: null, seq: 0 } });
  await signIn(server, parley, sessionNumber(1));
  chats.startChats();
});

test("loading the list marks missed messages as delivered", async () => {
  listed = [chat(7, { unread: 2 })];
  await chats.loadChats();
  await server.until(() => server.commands("mark_delivered").length);
  const { conversation_id, seq } = server.commands("mark_delivered")[0].payload;
  assert.deepEqual({ conversation_id, seq }, { conversation_id: "c", seq: 7 });
});

test("an older state of a conversation does not lower its read marks", async () => {
  listed = [chat(7, { read: { ben: 7 } })];
  await chats.loadChats();
  chats.noteConversation(chat(5, { read: { ben: 4 } }));
  assert.deepEqual(chats.chatOf("c").read, { ben: 7 });
  chats.noteConversation(chat(8, { read: { ben: 8 } }));
  assert.deepEqual(chats.chatOf("c").read, { ben: 8 });
});

test("a list that failed to load is loaded again after a reconnect", async () => {
  server.answer = () => ({ ok: false, error: { code: "INTERNAL", message: "no" } });
  await chats.loadChats();
  assert.equal(chats.chatsRefusal.value.code, "INTERNAL");
  listed = [chat(7)];
  server.answer = () => ({ ok: true, data: { conversations: listed, next: null, seq: 0 } });
  server.cut();
  await new Promise((resolve) => {
    chats.chats.subscribe((all) => all?.length && resolve());
  });
});

test("a system message becomes the last message but does not count as unread", async () => {
  listed = [chat(7, { kind: "group", unread: 2, archived: true, draft: "a", muted_until: "2999" })];
  await chats.loadChats();
  const conversation = group(8, "Walkers");
  const renamed = { conversation, user_id: "ben", message: note(8) };
  await emit("CONVERSATION_CHANGED", renamed, "chat:c", 8);
  const { name, unread, last_message, archived, draft, muted_until } = chats.chatOf("c");
  assert.deepEqual([name, unread, last_message.id], ["Walkers", 2, "m8"]);
  assert.deepEqual([archived, draft, muted_until], [true, "a", "2999"]);
});

test("system messages are ordered by their number in the conversation, in any room", async () => {
  listed = [chat(7, { kind: "group" })];
  await chats.loadChats();
  const added = (seq) =>
    ({ conversation: group(seq, "Walkers"), user_id: "ada", message: note(seq) });
  await emit("MEMBER_ADDED", added(3), "user:ada", 900);
  assert.equal(chats.chatOf("c").last_message.id, "m7");
  await emit("MEMBER_ADDED", added(8), "user:ada", 901);
  assert.equal(chats.chatOf("c").last_message.id, "m8");
  const put = { ...added(9), conversation: { ...group(9, "Walkers"), member_ids: ["ben"] } };
  await emit("MEMBER_REMOVED", put, "user:ada", 902);
  assert.equal(chats.chatOf("c"), undefined);
});

test("changes on another device apply, and a muted conversation has no unread count", async () => {
  listed = [chat(7, { unread: 2 })];
  await chats.loadChats();
  assert.equal(chats.unreadMessages.value, 2);
  const muted_until = "2999-01-01T00:00:00Z";
  const state = { conversation_id: "c", muted_until, archived: true, draft: "So" };
  await emit("CONVERSATION_ADJUSTED", { user_id: "ada", state }, "user:ada", 910);
  const { archived, draft } = chats.chatOf("c");
  assert.deepEqual([archived, draft, chats.unreadMessages.value], [true, "So", 0]);
  // A list that is older than the event does not undo it.
  await chats.loadChats();
  assert.equal(chats.chatOf("c").draft, "So");
});

test("messages that were read privately on another device are marked as read", async () => {
  listed = [chat(7, { unread: 2 })];
  await chats.loadChats();
  const upTo = { user_id: "ada", conversation_id: "c", seq: 7 };
  await emit("CONVERSATION_READ", upTo, "user:ada", 920);
  const { unread, read } = chats.chatOf("c");
  assert.deepEqual([unread, read], [0, { ada: 7 }]);
});

test("removing the last message loads the one before it", async () => {
  listed = [chat(7)];
  await chats.loadChats();
  listed = [chat(7, { last_message: message(6) })];
  const removal = { user_id: "ada", conversation_id: "c", message_id: "m7" };
  await emit("MESSAGE_REMOVED", removal, "user:ada", 930);
  await new Promise((resolve) => {
    chats.chats.subscribe((all) => all?.[0]?.last_message.id === "m6" && resolve());
  });
});

test("an unread message that is deleted or hidden no longer counts", async () => {
  listed = [chat(7, { unread: 1 })];
  await chats.loadChats();
  await emit("MESSAGE_SENT", { message: message(8) }, "chat:c", 8);
  await emit("MESSAGE_SENT", { message: message(9) }, "chat:c", 9);
  assert.equal(chats.unreadMessages.value, 3);
  await emit("MESSAGE_DELETED", { message: { ...message(9), deleted: true } }, "chat:c", 10);
  await emit("MESSAGE_HIDDEN", { message: { ...message(8), hidden: true } }, "chat:c", 11);
  assert.equal(chats.unreadMessages.value, 1);
  assert.equal(lists().length, 0, "these messages arrived here");
  listed = [chat(12, { unread: 0 })];
  await emit("MESSAGE_DELETED", { message: { ...message(7), deleted: true } }, "chat:c", 12);
  assert.equal(chats.unreadMessages.value, 0);
});

test("the server decides whether a deleted message from before the list was unread", async () => {
  listed = [chat(7, { kind: "group", read: 0, unread: 2 })];
  await chats.loadChats();
  await emit("MESSAGE_DELETED", { message: { ...message(3), deleted: true } }, "chat:c", 8);
  assert.equal(chats.chatOf("c").unread, 2, "it may have been read");
  listed = [chat(8, { unread: 1 })];
  await unreadIs(1);
});

test("own messages that are deleted, and others when nothing is unread, change no count",
  async () => {
    listed = [chat(7, { unread: 2, read: { ada: 5 } })];
    await chats.loadChats();
    const mine = { ...message(6), sender_id: "ada", deleted: true };
    await emit("MESSAGE_DELETED", { message: mine }, "chat:c", 8);
    assert.equal(chats.chatOf("c").unread, 2);
    assert.equal(lists().length, 0);
  });

test("messages that were read on another device no longer count", async () => {
  listed = [chat(7, { unread: 1 })];
  await chats.loadChats();
  for (const seq of [8, 9, 10]) {
    await emit("MESSAGE_SENT", { message: message(seq) }, "chat:c", seq);
  }
  const read = (seq) => ({ user_id: "ada", conversation_id: "c", seq });
  await emit("MESSAGE_READ", read(7), "chat:c", 11);
  listed = [chat(11, { unread: 3, last_message: message(10), read: { ada: 7 } })];
  await server.until(() => lists().length === 1);
  await unreadIs(3);
  await emit("MESSAGE_READ", read(9), "chat:c", 12);
  assert.equal(chats.chatOf("c").unread, 1, "the page knows all three messages");
  await emit("CONVERSATION_READ", read(10), "user:ada", 980);
  assert.equal(chats.chatOf("c").unread, 0);
  assert.equal(lists().length, 1);
});

test("a count is fetched again after a restored message, and once for several events", async () => {
  listed = [chat(7, { unread: 0 })];
  await chats.loadChats();
  const restored = { conversation_id: "c", message_id: "m6" };
  listed = [chat(9, { unread: 1 })];
  await emit("MESSAGE_RESTORED", restored, "chat:c", 8);
  await emit("MESSAGE_RESTORED", restored, "chat:c", 9);
  await unreadIs(1);
  assert.deepEqual(lists().map(({ payload }) => payload.only), ["c"]);
});

test("an event that arrives while a conversation is fetched is not undone", async () => {
  listed = [chat(7, { unread: 2 })];
  await chats.loadChats();
  let answer;
  const old = { ok: true, data: { conversations: [chat(8, { unread: 1 })], next: null, seq: 0 } };
  server.answer = () => new Promise((resolve) => (answer = resolve));
  await emit("MESSAGE_READ", { user_id: "ada", conversation_id: "c", seq: 5 }, "chat:c", 8);
  await server.until(() => lists().length === 1);
  await emit("MESSAGE_SENT", { message: message(9) }, "chat:c", 9);
  listed = [chat(9, { unread: 2 })];
  server.answer = () => ({ ok: true, data: { conversations: listed, next: null, seq: 0 } });
  answer(old);
  await server.until(() => lists().length === 2);
  await unreadIs(2);
  assert.equal(chats.chatOf("c").last_message.id, "m9");
});

test("events that arrive while the list is fetched are not lost", async () => {
  let answer;
  server.answer = ({ payload }) => (payload.archived === false
    ? new Promise((resolve) => (answer = resolve))
    : { ok: true, data: { conversations: payload.only ? [chat(7)] : [], next: null, seq: 0 } });
  chats.startChats();
  await server.until(() => answer);
  const upTo = { user_id: "ada", conversation_id: "c", seq: 7 };
  await emit("CONVERSATION_READ", upTo, "user:ada", 990);
  answer({ ok: true, data: { conversations: [chat(7, { unread: 2 })], next: null, seq: 0 } });
  await unreadIs(0);
});

test("conversations are sorted by activity, and new ones by the time in their ids", async () => {
  const at = (moment) => `${Date.parse(moment).toString(16).padStart(12, "0")}-7000-8000`;
  const said = (id, sent_at) => ({ ...chat(7), id, last_message: { ...message(7), sent_at } });
  const empty = { ...chat(1), id: at("2026-01-02T12:00:00Z"), last_message: null };
  listed = [
    said("a", "2026-01-02T11:59:59.9Z"), empty, said("b", "2026-01-02T12:00:01Z"),
    said("d", "2026-01-02T12:00:00.5Z"),
  ];
  await chats.loadChats();
  assert.deepEqual(chats.chats.value.map(({ id }) => id), ["b", "d", empty.id, "a"]);
});

const large = (seq, more = {}) =>
  chat(seq, { kind: "group", read: 3, delivered: 4, marks_seq: 2, ...more });
const gathered = (message_seq, read) =>
  ({ conversation_id: "c", read, delivered: 4, message_seq });

test("the counts of a large group begin anew with each message", async () => {
  listed = [large(7)];
  await chats.loadChats();
  await emit("MARKS_GATHERED", gathered(7, 5), "marks:c", 3);
  assert.deepEqual([chats.chatOf("c").read, chats.chatOf("c").marks_seq], [5, 3]);
  await emit("MESSAGE_SENT", { message: message(8) }, "chat:c", 8);
  assert.deepEqual([chats.chatOf("c").read, chats.chatOf("c").delivered], [0, 0]);
  await emit("MARKS_GATHERED", gathered(7, 6), "marks:c", 4);
  assert.equal(chats.chatOf("c").read, 0, "it is about the message before");
  await emit("MARKS_GATHERED", gathered(9, 1), "marks:c", 5);
  await emit("MESSAGE_SENT", { message: message(9) }, "chat:c", 9);
  assert.equal(chats.chatOf("c").read, 1, "its message came later than its marks");
  await chats.loadChats();
  assert.equal(chats.chatOf("c").read, 1, "the list is older than the event");
});

test("a group that becomes small has a mark for each member", async () => {
  listed = [large(7)];
  await chats.loadChats();
  const conversation = group(8, "Walkers");
  await emit("CONVERSATION_CHANGED", { conversation, user_id: "ben" }, "chat:c", 8);
  assert.deepEqual([chats.chatOf("c").read, chats.chatOf("c").marks_seq], [{}, undefined]);
});

test("watched marks replace those of the list", async () => {
  listed = [large(7)];
  await chats.loadChats();
  server.answer = () => ({ ok: true, data: { ...gathered(7, 9), seq: 4 } });
  await parley.call("/chat", "watch", { conversation_id: "c" });
  assert.equal(chats.chatOf("c").read, 9);
});

test("marking a conversation as unread on another device loads its count", async () => {
  listed = [chat(7)];
  await chats.loadChats();
  listed = [chat(7, { unread: 3 })];
  const marked = { user_id: "ada", conversation_id: "c", seq: 5 };
  await emit("CONVERSATION_MARKED_UNREAD", marked, "user:ada", 940);
  await unreadIs(3);
});

test("a conversation is marked as unread from a message on, and then left", async () => {
  server.asked = [];
  server.answer = () => ({ ok: true, data: {} });
  await chats.markUnread("c", 5);
  await chats.markUnread("c");
  const asked = server.commands("mark_unread").map(({ payload }) => payload);
  for (const payload of asked) delete payload.request_id;
  assert.deepEqual(asked, [{ conversation_id: "c", seq: 5 }, { conversation_id: "c" }]);
});
