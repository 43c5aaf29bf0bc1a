/** The list of notifications: read, withdrawn and brought back on any device. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { sessionNumber } from "./fake_server.mjs";
import { openPage, signIn } from "./page.mjs";

let server;
let parley;
let close;
let notices;

before(async () => {
  ({ server, parley, close } = await openPage());
  notices = await import("../../static/client/platform/notices.js");
});
after(() => close());

const notice = (id, read_at = null) => ({ id, kind: "mentioned", title: "", data: {}, read_at });
let seq = 10;

/** Emits an event of the user's room, and waits until the client has received it. */
async function emit(event, data) {
  const heard = new Promise((resolve) => {
    const stop = parley.on("/notifications", event, () => queueMicrotask(() => resolve(stop())));
  });
  seq++;
  const meta = { room: "user:ada", seq, id: `${seq}`, at: "2026-01-01T00:00:00Z" };
  server.emit("/notifications", event, data, meta);
  await heard;
}

const shown = () => {
  const { notifications, unread } = notices.notices.value.state.value;
  return [notifications.map(({ id, read_at }) => (read_at ? `${id} read` : id)), unread];
};

beforeEach(async () => {
  await parley.logout();
  const page = { notifications: [notice("n3"), notice("n1")], unread: 2, next: null, seq };
  server.answer = () => ({ ok: true, data: page });
  await signIn(server, parley, sessionNumber(1));
  notices.startNotices();
  await new Promise((resolve) => {
    notices.notices.value.state.subscribe((state) => state && resolve());
  });
});

test("a notification that is read on another device leaves the banner", async () => {
  await emit("NOTIFICATION_DISPATCHED", { notification: notice("n4") });
  assert.equal(notices.newest.value.id, "n4");
  await emit("NOTIFICATION_READ", { ids: ["n1"], unread: 2 });
  assert.equal(notices.newest.value.id, "n4");
  await emit("NOTIFICATION_READ", { ids: ["n4"], unread: 1 });
  assert.equal(notices.newest.value, null);
  assert.deepEqual(shown(), [["n4 read", "n3", "n1 read"], 1]);
});

test("a withdrawn notification leaves the list, and comes back in its place", async () => {
  await emit("NOTIFICATION_DISPATCHED", { notification: notice("n2") });
  await emit("NOTIFICATION_READ", { ids: ["n2"], unread: 2, withdrawn: true });
  assert.deepEqual(shown(), [["n3", "n1"], 2]);
  assert.equal(notices.newest.value, null);
  await emit("NOTIFICATION_DISPATCHED", { notification: notice("n2") });
  assert.deepEqual(shown(), [["n3", "n2", "n1"], 3]);
});

test("a notification that comes back and was read is not unread", async () => {
  await emit("NOTIFICATION_DISPATCHED", { notification: notice("n2", "2026-01-01T00:00:00Z") });
  await emit("NOTIFICATION_READ", { ids: ["n2"], unread: 2 });
  assert.deepEqual(shown(), [["n3", "n2 read", "n1"], 2]);
});
