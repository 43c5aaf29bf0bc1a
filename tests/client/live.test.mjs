/** A live state is a snapshot plus the events after it, and applies no event twice. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { FakeServer, sessionNumber } from "./fake_server.mjs";

const room = "user:ada";
let server;
let parley;
let Live;

before(async () => {
  server = await FakeServer.start();
  globalThis.location = { origin: server.url };
  ({ parley } = await import("../../static/client/state.js"));
  ({ Live } = await import("../../static/client/live.js"));
  server.answer = () => ({ ok: true, data: sessionNumber(1) });
  await parley.login("ada@example.org", "correct horse");
});
after(async () => {
  parley.close();
  await server.stop();
});

let list;
let loads;
beforeEach(async () => {
  loads = [];
  await parley.call("/booking", "list", {});
  list = new Live({
    namespace: "/booking", room,
    load: () => new Promise((resolve, refuse) => loads.push(Object.assign(resolve, { refuse }))),
    events: { BOOKING_REQUESTED: (state, { id }) => ({ ...state, ids: [...state.ids, id] }) },
  });
});

afterEach(() => list.stop());

let head = 0;
/** Emits the next events of the room, and waits until the client has received the last. */
async function emit(count, at = head + 1) {
  head = at + count - 1;
  const heard = new Promise((resolve) => {
    const stop = parley.on("/booking", "BOOKING_REQUESTED", (_, { seq }) => {
      if (seq === head) resolve(stop());
    });
  });
  for (let seq = at; seq <= head; seq++) {
    const meta = { room, seq, id: `e${seq}`, at: "2026-01-01T00:00:00Z" };
    server.emit("/booking", "BOOKING_REQUESTED", { id: seq }, meta);
  }
  await heard;
}

/** Answers the oldest query, and waits until the state shows the answer. */
async function answer(ids, seq) {
  loads.shift()({ ids, seq });
  await new Promise((resolve) => {
    let stop = () => {};
    stop = list.state.subscribe((state) => state && queueMicrotask(() => resolve(stop())));
  });
}

test("events after the snapshot change the state", async () => {
  await answer(["before"], head);
  await emit(2);
  assert.deepEqual(list.state.value.ids, ["before", head - 1, head]);
});

test("events before the snapshot apply only if the snapshot does not contain them", async () => {
  await emit(3);
  await answer(["known"], head - 1);
  assert.deepEqual(list.state.value.ids, ["known", head]);
});

test("missed events cause a reload, and events wait until it is done", async () => {
  await answer([], head);
  await emit(1, head + 5);
  assert.equal(loads.length, 1);
  await emit(1);
  assert.deepEqual(list.state.value.ids, []);
  loads.shift()({ ids: ["fresh"], seq: head - 1 });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(list.state.value.ids, ["fresh", head]);
});

test("a refusal is kept until a reload succeeds", async () => {
  let refuse = true;
  const once = new Live({
    namespace: "/booking", room, events: {},
    load: async () => {
      if (refuse) throw Object.assign(new Error("busy"), { code: "UNAVAILABLE" });
      return { ids: [], seq: 0 };
    },
  });
  await once.reload();
  assert.equal(once.error.value.code, "UNAVAILABLE");
  refuse = false;
  await once.reload();
  assert.equal(once.error.value, null);
});

test("a failed reload keeps the old state, and a reconnect loads it again", async () => {
  await answer(["old"], head);
  await emit(1, head + 5);
  await emit(1);
  loads.shift().refuse(Object.assign(new Error("busy"), { code: "UNAVAILABLE" }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(list.state.value.ids, ["old", head - 1, head]);
  await emit(1);
  assert.deepEqual(list.state.value.ids, ["old", head - 2, head - 1, head]);

  const again = new Promise((resolve) => {
    const stop = parley.on("connection", ({ namespace, connected }) => {
      if (namespace === "/booking" && connected) queueMicrotask(() => resolve(stop()));
    });
  });
  server.cut();
  await again;
  loads.shift()({ ids: ["fresh"], seq: head });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(list.state.value.ids, ["fresh"]);
  assert.equal(list.error.value, null);
});

test("a stopped live state loads nothing more", async () => {
  const first = loads.shift();
  void list.reload();
  list.stop();
  first({ ids: [], seq: head });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(loads.length, 0);
  assert.equal(list.state.value, null);
});
