/** Events arrive once and in order, and every gap is reported. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeServer, Heard } from "./fake_server.mjs";

let server;
beforeEach(async () => (server = await FakeServer.start()));
afterEach(() => server.stop());

const room = "user:ada";
const meta = (seq) => ({ room, seq, id: `e${seq}`, at: "2026-01-01T00:00:00Z" });
const tell = (seq) =>
  server.emit("/booking", "BOOKING_REQUESTED", { booking: { id: seq } }, meta(seq));

/** Sets what /booking sends to each new connection. */
function onWelcome(say) {
  server.welcome = ({ namespace }, socket) => namespace === "/booking" && say(socket);
}

/** @param {Record<string, {seq: number, recovered: boolean}>} rooms */
const synced = (epoch, rooms) => (socket) => socket.emit("synced", { epoch, rooms });

/** A client in /booking with a room whose head is 5. */
async function listening() {
  onWelcome(synced("e1", { [room]: { seq: 5, recovered: true } }));
  const client = await server.signedIn();
  const heard = new Heard();
  const lost = new Heard();
  client.on("/booking", "BOOKING_REQUESTED", (data) => heard.note(data.booking.id));
  client.on("unrecovered", lost.note);
  await client.call("/booking", "list", {});
  return { client, heard, lost };
}

test("a reconnect sends the last received number of each room and the epoch", async () => {
  const { heard } = await listening();
  assert.equal(server.connectsTo("/booking")[0].auth.since, undefined);
  tell(6);
  await heard.count(1);
  server.cut();
  const again = await server.until(() => server.connectsTo("/booking")[1]);
  assert.deepEqual(again.auth, { token: "access-1", since: { [room]: 6 }, epoch: "e1" });
});

test("replayed events are delivered, and no loss is reported", async () => {
  const { client, heard, lost } = await listening();
  onWelcome((socket) => {
    socket.emit("BOOKING_REQUESTED", { booking: { id: 6 } }, meta(6));
    socket.emit("BOOKING_REQUESTED", { booking: { id: 7 } }, meta(7));
    synced("e1", { [room]: { seq: 7, recovered: true } })(socket);
  });
  server.cut();
  await heard.count(2);
  await client.call("/booking", "list", {});
  assert.deepEqual(heard.all, [6, 7]);
  assert.deepEqual(lost.all, []);
});

test("a repeated event is dropped", async () => {
  const { heard } = await listening();
  for (const seq of [6, 6, 5, 7]) tell(seq);
  await heard.until(() => heard.all.includes(7));
  assert.deepEqual(heard.all, [6, 7]);
});

test("a gap is reported as unrecovered before the event after it", async () => {
  const { heard, lost } = await listening();
  tell(8);
  await heard.count(1);
  assert.deepEqual(lost.all, [{ namespace: "/booking", room, seq: 8 }]);
});

test("an unrecovered room is reported with its head, and numbers continue from there", async () => {
  const { heard, lost } = await listening();
  onWelcome(synced("e2", { [room]: { seq: 3, recovered: false } }));
  server.cut();
  await lost.count(1);
  assert.deepEqual(lost.all, [{ namespace: "/booking", room, seq: 3 }]);
  tell(4);
  await heard.count(1);
  assert.equal(lost.all.length, 1);
});

test("a head beyond the replayed events is reported as a loss", async () => {
  const { lost } = await listening();
  onWelcome(synced("e1", { [room]: { seq: 9, recovered: true } }));
  server.cut();
  await lost.count(1);
  assert.equal(lost.all[0].seq, 9);
});

test("a room that the user is no longer in is not requested again", async () => {
  const { client } = await listening();
  onWelcome(synced("e1", {}));
  server.cut();
  await server.until(() => server.connectsTo("/booking").length === 2);
  await client.call("/booking", "list", {});
  server.cut();
  const third = await server.until(() => server.connectsTo("/booking")[2]);
  assert.deepEqual(third.auth, { token: "access-1" });
});

test("a reconnect renews watches and reports missed events", async () => {
  const client = server.client();
  const lost = new Heard();
  client.on("unrecovered", lost.note);
  let seq = 2;
  server.answer = () => ({ ok: true, data: { available_now: true, seq } });
  await client.call("/availability", "watch", { consultant_id: "c1" });
  seq = 4;
  server.cut();
  await lost.count(1);
  assert.deepEqual(lost.all, [{ namespace: "/availability", room: "consultant:c1", seq: 4 }]);
  assert.equal(server.commands("watch").length, 2);
});

test("a reconnect does not renew a watch that ended", async () => {
  const client = server.client();
  server.answer = () => ({ ok: true, data: { available_now: true, seq: 1 } });
  await client.call("/availability", "watch", { consultant_id: "c1" });
  await client.call("/availability", "unwatch", { consultant_id: "c1" });
  server.cut();
  await client.call("/availability", "check", { consultant_id: "c1", at: "now" });
  assert.equal(server.commands("watch").length, 1);
});

test("ephemeral events have no number and are all delivered", async () => {
  const client = await server.signedIn();
  const heard = new Heard();
  client.on("/chat", "typing", heard.note);
  await client.call("/chat", "list", {});
  server.emit("/chat", "typing", { conversation_id: "c", user_id: "bob" });
  server.emit("/chat", "typing", { conversation_id: "c", user_id: "bob" });
  await heard.count(2);
});

test("an exception in one listener does not keep the event from the next", async (t) => {
  t.mock.method(console, "error", () => {});
  const { client, heard } = await listening();
  const second = new Heard();
  client.on("/booking", "BOOKING_REQUESTED", () => { throw new Error("mistaken"); });
  const stop = client.on("/booking", "BOOKING_REQUESTED", second.note);
  tell(6);
  await second.count(1);
  stop();
  tell(7);
  await heard.count(2);
  assert.equal(second.all.length, 1);
});

test("the client remembers the numbers of more than a thousand rooms", async () => {
  const rooms = Object.fromEntries(Array.from({ length: 1001 }, (_, number) =>
    [`chat:${number}`, { seq: 1, recovered: true }]));
  onWelcome(synced("e1", rooms));
  const client = await server.signedIn();
  await client.call("/booking", "list", {});
  assert.equal(client.seq("/booking", "chat:0"), 1);
});
