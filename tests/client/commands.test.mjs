/** Commands take effect once and get their answer, whatever happens to the connection. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { CHANGING } from "../../static/client/parley.js";
import { inMemory } from "../../static/client/parley/tokens.js";
import { FakeServer, sessionNumber } from "./fake_server.mjs";

let server;
beforeEach(async () => (server = await FakeServer.start()));
afterEach(() => server.stop());

const refused = (code, more = {}) => ({ ok: false, error: { code, message: code, ...more } });
const topic = { block_id: "b1", topic_id: "t1" };

test("a changing command keeps its request_id across a reconnect", async () => {
  const client = await server.signedIn();
  server.answer = () => {
    if (server.commands("request").length > 1) return { ok: true, data: { id: "booking" } };
    server.cut();
  };
  const booking = await client.call("/booking", "request", topic);
  const [first, second] = server.commands("request");
  assert.equal(booking.id, "booking");
  assert.ok(first.payload.request_id.length <= 64);
  assert.deepEqual(second.payload, first.payload);
});

test("two equal commands have different request_ids", async () => {
  const client = await server.signedIn();
  await client.call("/booking", "request", topic);
  await client.call("/booking", "request", topic);
  const [first, second] = server.commands("request");
  assert.notEqual(first.payload.request_id, second.payload.request_id);
});

test("only changing commands have a request_id", async () => {
  const client = await server.signedIn();
  await client.call("/booking", "list", {});
  await client.call("/chat", "send", { conversation_id: "c", client_id: "m1", text: "hello" });
  assert.deepEqual(server.commands("list")[0].payload, {});
  assert.equal("request_id" in server.commands("send")[0].payload, false);
  assert.ok(CHANGING["/booking"].includes("cancel"));
});

test("a command called while offline is sent after the next connect", async () => {
  const client = await server.signedIn();
  server.refuse = ({ namespace }) =>
    namespace === "/booking" && server.connectsTo("/booking").length === 1 && "UNAVAILABLE";
  await client.call("/booking", "request", topic);
  assert.equal(server.commands("request").length, 1);
});

test("commands that fail with UNAVAILABLE are retried with increasing pauses", async () => {
  const client = await server.signedIn();
  const at = [];
  server.answer = () => {
    at.push(Date.now());
    return at.length < 3 ? refused("UNAVAILABLE") : { ok: true, data: {} };
  };
  await client.call("/booking", "request", topic);
  assert.equal(at.length, 3);
  assert.ok(at[1] - at[0] >= 240, `first pause ${at[1] - at[0]} ms`);
  assert.ok(at[2] - at[1] >= 490, `second pause ${at[2] - at[1]} ms`);
  assert.equal(new Set(server.commands("request").map((r) => r.payload.request_id)).size, 1);
});

test("a refusal is thrown with its code, details and retry_after_s", async () => {
  const client = await server.signedIn();
  server.answer = () => refused("RATE_LIMITED", { details: { per: "person" }, retry_after_s: 30 });
  await assert.rejects(client.call("/booking", "list", {}), {
    name: "ParleyError", code: "RATE_LIMITED", retry_after_s: 30, details: { per: "person" },
  });
  assert.equal(server.commands("list").length, 1);
});

test("a command that the server would not read is refused and never sent", async () => {
  const client = await server.signedIn();
  const sent = { conversation_id: "c", client_id: "m1", text: "語".repeat(50_000) };
  await assert.rejects(client.call("/chat", "send", sent),
    ({ code, details }) => code === "INVALID" && details.path === "$");
  await client.call("/chat", "send", { ...sent, text: "語".repeat(40_000) });
  assert.equal(server.commands("send").length, 1);
});

test("a command times out at its deadline", async () => {
  const client = await server.signedIn();
  server.answer = () => undefined;
  await assert.rejects(client.call("/booking", "list", {}, { deadline_ms: 50 }), {
    code: "NO_ANSWER",
  });
});

test("a login whose answer was lost is not sent twice", async () => {
  const client = server.client();
  server.answer = () => void server.cut();
  await assert.rejects(client.login("ada@example.org", "x"), { code: "NO_ANSWER" });
  assert.equal(server.commands("login").length, 1);
});

test("commands are rejected at once when the queue is full", async () => {
  const client = await server.signedIn();
  server.answer = () => undefined;
  const list = () => client.call("/booking", "list", {}, { deadline_ms: 200 });
  const calls = await Promise.allSettled(Array.from({ length: 201 }, list));
  assert.equal(calls[200].reason.code, "QUEUE_FULL");
  assert.equal(calls[199].reason.code, "NO_ANSWER");
});

test("all namespaces share one connection", async () => {
  const client = await server.signedIn();
  await Promise.all([
    client.call("/booking", "list", {}), client.call("/chat", "list", {}),
    client.call("/notifications", "list", {}),
  ]);
  assert.equal(server.io.engine.clientsCount, 1);
});

test("typing is dropped while offline", async () => {
  const client = await server.signedIn();
  await client.call("/chat", "typing", { conversation_id: "c" });
  assert.equal(server.commands("typing").length, 0);
});

test("a closed client sends nothing more and rejects pending commands", async () => {
  const client = await server.signedIn();
  server.answer = () => undefined;
  const waiting = client.call("/booking", "request", topic);
  await server.until(() => server.commands("request").length);
  server.answer = () => ({ ok: true, data: {} });
  client.close();
  await assert.rejects(waiting, { code: "CLOSED" });
  await assert.rejects(client.call("/booking", "list", {}), { code: "CLOSED" });
  client.on("/chat", "MESSAGE_SENT", () => {});
  await server.until(() => !server.io.engine.clientsCount);
  assert.equal(server.commands("request").length, 1);
  assert.deepEqual(server.connectsTo("/chat"), []);
});

test("closing during a refresh keeps the session", async () => {
  const storage = inMemory();
  server.answer = ({ command }) =>
    (command === "login" ? { ok: true, data: sessionNumber(1, 0) } : undefined);
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  const waiting = client.call("/booking", "list", {});
  await server.until(() => server.commands("refresh").length);
  client.close();
  await assert.rejects(waiting, { code: "CLOSED" });
  await assert.rejects(client.token(), { code: "CLOSED" });
  assert.equal(client.user.id, "ada");
});
