/** The list of conversations: marks only increase, and listed messages count as delivered. */

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
  await new Promise((resolve) => {
    chats.chats.subscribe((all) => all?.[0]?.unread === 3 && resolve());
  });
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
