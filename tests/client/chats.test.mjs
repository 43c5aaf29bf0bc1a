/** The list of conversations: marks only rise, and what it brings counts as delivered. */

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
  chats = await import("../../static/client/chats.js");
});
after(() => close());

const message = (seq) =>
  ({ id: `m${seq}`, conversation_id: "c", sender_id: "ben", seq, sent_at: "" });
const chat = (seq, more = {}) => ({
  id: "c", kind: "direct", name: null, member_ids: ["ada", "ben"], seq,
  read: {}, delivered: {}, unread: 0, last_message: message(seq), ...more,
});

beforeEach(async () => {
  await parley.logout();
  server.asked = [];
  listed = [];
  server.answer = () => ({ ok: true, data: { conversations: listed, next: null, seq: 0 } });
  await signIn(server, parley, sessionNumber(1));
  chats.startChats();
});

test("what was said while nobody was here is delivered when the list comes", async () => {
  listed = [chat(7, { unread: 2 })];
  await chats.loadChats();
  await server.until(() => server.commands("mark_delivered").length);
  const { conversation_id, seq } = server.commands("mark_delivered")[0].payload;
  assert.deepEqual({ conversation_id, seq }, { conversation_id: "c", seq: 7 });
});

test("an older word on a conversation leaves newer marks alone", async () => {
  listed = [chat(7, { read: { ben: 7 } })];
  await chats.loadChats();
  chats.noteConversation(chat(5, { read: { ben: 4 } }));
  assert.deepEqual(chats.chatOf("c").read, { ben: 7 });
  chats.noteConversation(chat(8, { read: { ben: 8 } }));
  assert.deepEqual(chats.chatOf("c").read, { ben: 8 });
});

test("a list that could not be had is asked for at the next connection", async () => {
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
