/** The session renews itself once for everybody, and ends everywhere at once. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { inMemory } from "../../static/client/parley/tokens.js";
import { FakeServer, Heard, sessionNumber } from "./fake_server.mjs";

let server;
let storage;
beforeEach(async () => {
  server = await FakeServer.start();
  storage = inMemory();
});
afterEach(() => server.stop());

/** Answers as the real /auth: each refresh token once, each session with the next number. */
function rotating(life_s = 900) {
  let number = 1;
  server.answer = ({ command, payload }) => {
    if (command === "login") return { ok: true, data: sessionNumber(number, life_s) };
    if (command !== "refresh") return { ok: true, data: {} };
    if (payload.refresh_token !== `refresh-${number}`) {
      return { ok: false, error: { code: "REFRESH_REUSED", message: "spent" } };
    }
    return { ok: true, data: sessionNumber(++number, 900) };
  };
}

test("many calls with a token about to expire share one refresh", async () => {
  rotating(0);
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  await Promise.all([
    client.call("/booking", "list", {}), client.call("/chat", "list", {}),
    client.call("/profile", "me", {}), client.call("/notifications", "list", {}),
  ]);
  assert.equal(server.commands("refresh").length, 1);
  const tokens = server.connects.filter(({ namespace }) => namespace !== "/auth")
    .map(({ auth }) => auth.token);
  assert.deepEqual(new Set(tokens), new Set(["access-2"]));
});

test("TOKEN_EXPIRED at the door is answered by a refresh, once for all namespaces", async () => {
  rotating();
  server.refuse = ({ auth }) => auth.token === "access-1" && "TOKEN_EXPIRED";
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  await Promise.all([client.call("/booking", "list", {}), client.call("/chat", "list", {})]);
  assert.equal(server.commands("refresh").length, 1);
});

test("two clients on one storage do not spend the same refresh token twice", async () => {
  rotating(0);
  const first = server.client({ storage });
  await first.login("ada@example.org", "correct horse");
  const second = server.client({ storage });
  await first.call("/profile", "me", {});
  await second.call("/profile", "me", {});
  assert.equal(server.commands("refresh").length, 1);
});

/** Tabs of one browser: they share the storage, and locks as `navigator.locks` gives them. */
function shareLocks(t) {
  let line = Promise.resolve();
  const request = (_, work) => (line = line.then(work, work));
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const value = { locks: { request } };
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
  t.after(() => {
    delete globalThis.navigator;
    if (before) Object.defineProperty(globalThis, "navigator", before);
  });
}

test("tabs that refresh at the same moment spend the token once", async (t) => {
  shareLocks(t);
  rotating(0);
  const first = server.client({ storage });
  await first.login("ada@example.org", "correct horse");
  const second = server.client({ storage });
  await Promise.all([first.call("/profile", "me", {}), second.call("/profile", "me", {})]);
  assert.equal(server.commands("refresh").length, 1);
});

test("a refresh that is refused signs out", async () => {
  rotating(0);
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  const out = new Heard();
  client.on("signed_out", out.note);
  server.answer = () => ({ ok: false, error: { code: "REFRESH_REUSED", message: "spent" } });
  await assert.rejects(client.call("/booking", "list", {}), { code: "SIGNED_OUT" });
  assert.deepEqual(out.all, [{ reason: "REFRESH_REUSED" }]);
  assert.equal(client.user, null);
});

test("a token refused again after its renewal signs out", async () => {
  rotating();
  server.refuse = ({ auth }) => auth.token && "TOKEN_INVALID";
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  await assert.rejects(client.call("/booking", "list", {}), { code: "SIGNED_OUT" });
  assert.equal(server.commands("refresh").length, 1);
});

test("session_ended signs out, and what was under way is refused", async () => {
  const client = await server.signedIn({ storage });
  const out = new Heard();
  client.on("signed_out", out.note);
  server.answer = () => undefined;
  const waiting = client.call("/booking", "request", { block_id: "b", topic_id: "t" });
  await server.until(() => server.commands("request").length);
  server.emit("/booking", "session_ended", {});
  await assert.rejects(waiting, { code: "SIGNED_OUT" });
  assert.equal(out.all.length, 1);
  assert.equal(storage.getItem("parley.session"), null);
});

test("a kept session is used by the next client", async () => {
  await server.signedIn({ storage });
  const next = server.client({ storage });
  assert.equal(next.user.first_name, "Ada");
  await next.call("/profile", "me", {});
  assert.equal(server.connectsTo("/profile")[0].auth.token, "access-1");
});

test("logging out spends the refresh token and leaves nothing behind", async () => {
  const client = await server.signedIn({ storage });
  await client.logout();
  assert.equal(server.commands("logout")[0].payload.refresh_token, "refresh-1");
  assert.equal(storage.getItem("parley.session"), null);
  await assert.rejects(client.call("/booking", "list", {}), { code: "SIGNED_OUT" });
});

test("visitors read without a token, and come again with one when they sign in", async () => {
  rotating();
  const client = server.client({ storage });
  await client.call("/consultants", "list", {});
  await client.login("ada@example.org", "correct horse");
  await client.call("/consultants", "list", {});
  const tokens = server.connectsTo("/consultants").map(({ auth }) => auth.token);
  assert.deepEqual(tokens, [undefined, "access-1"]);
});

test("signing up ends in a session", async () => {
  server.answer = ({ command }) =>
    ({ ok: true, data: command === "complete" ? sessionNumber(1) : { expires_in_s: 600 } });
  const client = server.client({ storage });
  const into = new Heard();
  client.on("signed_in", into.note);
  await client.startSignup("ada@example.org");
  await client.completeSignup({
    email: "ada@example.org", pincode: "123456", first_name: "Ada", last_name: "Lovelace",
    password: "correct horse",
  });
  assert.equal(into.all[0].user.id, "ada");
  assert.equal("request_id" in server.commands("complete")[0].payload, false);
});
