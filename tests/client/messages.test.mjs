/** Outgoing messages are sent in order, once, and only by their author. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { BEN, sessionNumber } from "./fake_server.mjs";
import { openPage, settled, signIn } from "./page.mjs";

let server;
let parley;
let close;
let messages;
let Live;
/** The last sequence number of each room. */
const heads = new Map();

before(async () => {
  ({ server, parley, close } = await openPage());
  ({ Live } = await import("../../static/client/live.js"));
  messages = await import("../../static/client/platform/messages.js");
});
after(() => close());

beforeEach(async () => {
  await parley.logout();
  heads.clear();
  server.answer = () => ({ ok: true, data: {} });
  server.asked = [];
  await signIn(server, parley, sessionNumber(1));
});

/** Emits events of a room, and waits until the client has received each. */
async function emit(room, ...events) {
  for (const [event, data] of events) {
    const heard = new Promise((resolve) => {
      const stop = parley.on("/chat", event, () => queueMicrotask(() => resolve(stop())));
    });
    const seq = (heads.get(room) ?? 10) + 1;
    heads.set(room, seq);
    const meta = { room, seq, id: `${room} ${seq}`, at: "2026-01-01T00:00:00Z" };
    server.emit("/chat", event, data, meta);
    await heard;
  }
}

/** A live state that has loaded its snapshot. */
async function snapshot(source, data) {
  server.answer = () => ({ ok: true, data: { ...data, seq: 10 } });
  await parley.call("/chat", "history", { conversation_id: "c1" });
  const live = new Live(source);
  await new Promise((resolve) => {
    live.state.subscribe((state) => state && resolve());
  });
  return live;
}

const texts = () => server.commands("send").map(({ payload }) => payload.text);

test("an acknowledged message is no longer outgoing", async () => {
  messages.send("c1", "Hello");
  assert.equal(messages.outgoing.value.length, 1);
  await server.until(() => texts().length);
  await new Promise((resolve) => {
    messages.outgoing.subscribe((left) => !left.length && resolve());
  });
});

test("a refused message stays, and is sent again with the same client_id", async () => {
  server.answer = () => ({ ok: false, error: { code: "FORBIDDEN", message: "no" } });
  messages.send("c1", "Hello");
  await new Promise((resolve) => {
    messages.outgoing.subscribe(([one]) => one?.refusal && resolve());
  });
  server.answer = () => ({ ok: true, data: {} });
  messages.sendAgain(messages.outgoing.value[0]);
  await server.until(() => texts().length === 2);
  const [first, second] = server.commands("send");
  assert.equal(second.payload.client_id, first.payload.client_id);
});

test("outgoing messages of one user are not sent by the next user", async () => {
  server.answer = ({ command }) => (command === "send" ? undefined : { ok: true, data: {} });
  messages.send("c1", "first of Ada");
  messages.send("c1", "second of Ada");
  await server.until(() => texts().length === 1);
  server.answer = () => ({ ok: true, data: {} });
  await signIn(server, parley, sessionNumber(2, 900, BEN));
  assert.deepEqual(messages.outgoing.value, []);
  await settled();
  messages.send("c1", "of Ben");
  await server.until(() => texts().includes("of Ben"));
  assert.deepEqual(texts(), ["first of Ada", "of Ben"]);
});

test("changes of a group appear in its history in order", async () => {
  const said = { id: "m9", conversation_id: "c1", seq: 9 };
  const live = await snapshot(messages.historyOf("c1"), { messages: [said], has_more: false });
  const note = (seq) =>
    ({ message: { id: `m${seq}`, conversation_id: "c1", seq, kind: "system" } });
  await emit("chat:c1", ["MEMBER_ADDED", note(11)], ["CONVERSATION_CHANGED", note(12)],
    ["MEMBER_REMOVED", { message: null }]);
  assert.deepEqual(live.state.value.messages.map(({ id }) => id), ["m9", "m11", "m12"]);
  live.stop();
});

test("messages that the user removed are hidden", async () => {
  await parley.call("/chat", "history", { conversation_id: "c1" });
  const all = [{ id: "m1" }, { id: "m2" }];
  assert.deepEqual(messages.kept(all), all);
  await emit("user:ada", ["MESSAGE_REMOVED", { conversation_id: "c1", message_id: "m1" }]);
  assert.deepEqual(messages.kept(all), [{ id: "m2" }]);
});

test("pinned messages are loaded, and follow unpinning, deletion and editing", async () => {
  const { pinsOf } = await import("../../static/client/platform/pins.js");
  const pinned = ["m1", "m2", "m3"].map((id) => ({ id, text: "old" }));
  const live = await snapshot(pinsOf("c2"), { messages: pinned });
  const unpinned = { conversation_id: "c2", message_id: "m1", pinned: false };
  await emit("chat:c2", ["MESSAGE_PINNED", unpinned],
    ["MESSAGE_DELETED", { message: { id: "m2" } }],
    ["MESSAGE_EDITED", { message: { id: "m3", text: "new" } }]);
  assert.deepEqual(live.state.value.messages, [{ id: "m3", text: "new" }]);
  live.stop();
});

test("blocks and unblocks on another device apply", async () => {
  const { blockedPeople } = await import("../../static/client/platform/blocked.js");
  const live = await snapshot(blockedPeople(), { user_ids: ["ben"] });
  const on = (person_id, is) => ["PERSON_BLOCKED", { person_id, on: is }];
  await emit("user:ada", on("cleo", true), on("ben", false));
  assert.deepEqual(live.state.value.user_ids, ["cleo"]);
  live.stop();
});

test("a reply follows the message that it answers", async () => {
  await parley.call("/chat", "history", { conversation_id: "c1" });
  const asked = { id: "m1", conversation_id: "c1", seq: 1, text: "old" };
  const changed = (event, more) => emit("chat:c1", [event, { message: { ...asked, ...more } }]);
  messages.answering.value = asked;
  await changed("MESSAGE_EDITED", { text: "new" });
  assert.equal(messages.answering.value.text, "new");
  await changed("MESSAGE_DELETED", { id: "m2", deleted: true });
  assert.equal(messages.answering.value.text, "new");
  for (const [event, more] of [["MESSAGE_DELETED", { deleted: true }],
    ["MESSAGE_HIDDEN", { hidden: true }]]) {
    messages.answering.value = asked;
    await changed(event, more);
    assert.equal(messages.answering.value, null);
  }
  messages.answering.value = asked;
  const removal = { conversation_id: "c1", message_id: "m1" };
  await emit("user:ada", ["MESSAGE_REMOVED", removal]);
  assert.equal(messages.answering.value, null);
});

test("a message that is shown elsewhere is fetched when it is restored", async () => {
  await parley.call("/chat", "history", { conversation_id: "c1" });
  const heard = [];
  const stop = messages.onChanges((id) => id === "m1", (message) => void heard.push(message.text));
  let answer;
  server.answer = () => new Promise((resolve) => (answer = resolve));
  const restored = ["MESSAGE_RESTORED", { conversation_id: "c1", message_id: "m1" }];
  await emit("chat:c1", restored);
  await server.until(() => server.commands("get").length === 1);
  await emit("chat:c1", ["MESSAGE_DELETED", { message: { id: "m1", text: "" } }]);
  answer({ ok: true, data: { id: "m1", text: "older than its deletion" } });
  await settled();
  server.answer = () => ({ ok: true, data: { id: "m1", text: "again" } });
  await emit("chat:c1", restored);
  await server.until(() => server.commands("get").length === 2);
  await new Promise((resolve) => {
    const wait = () => (heard.length > 1 ? resolve() : setImmediate(wait));
    wait();
  });
  assert.deepEqual(heard, ["", "again"]);
  stop();
});
