/** The session is refreshed once for all commands, and ends in all namespaces at once. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { inMemory } from "../../static/client/parley/tokens.js";
import { BEN, FakeServer, Heard, sessionNumber } from "./fake_server.mjs";

let server;
let storage;
beforeEach(async () => {
  server = await FakeServer.start();
  storage = inMemory();
});
afterEach(() => server.stop());

/** Answers like the real /auth: accepts each refresh token once, and numbers the sessions. */
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

test("concurrent calls with an expiring token share one refresh", async () => {
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

test("TOKEN_EXPIRED on connect causes one refresh for all namespaces", async () => {
  rotating();
  server.refuse = ({ auth }) => auth.token === "access-1" && "TOKEN_EXPIRED";
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  await Promise.all([client.call("/booking", "list", {}), client.call("/chat", "list", {})]);
  assert.equal(server.commands("refresh").length, 1);
});

test("two clients with one storage do not use the same refresh token twice", async () => {
  rotating(0);
  const first = server.client({ storage });
  await first.login("ada@example.org", "correct horse");
  const second = server.client({ storage });
  await first.call("/profile", "me", {});
  await second.call("/profile", "me", {});
  assert.equal(server.commands("refresh").length, 1);
});

/** Simulates `navigator.locks`, which the tabs of one browser share. */
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

test("tabs that refresh at the same time use the token once", async (t) => {
  shareLocks(t);
  rotating(0);
  const first = server.client({ storage });
  await first.login("ada@example.org", "correct horse");
  const second = server.client({ storage });
  await Promise.all([first.call("/profile", "me", {}), second.call("/profile", "me", {})]);
  assert.equal(server.commands("refresh").length, 1);
});

test("a refused refresh signs the user out", async () => {
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

test("a token that is refused after a refresh signs the user out", async () => {
  rotating();
  server.refuse = ({ auth }) => auth.token && "TOKEN_INVALID";
  const client = server.client({ storage });
  await client.login("ada@example.org", "correct horse");
  await assert.rejects(client.call("/booking", "list", {}), { code: "SIGNED_OUT" });
  assert.equal(server.commands("refresh").length, 1);
});

test("session_ended signs the user out and rejects pending commands", async () => {
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

test("a stored session is used by the next client", async () => {
  await server.signedIn({ storage });
  const next = server.client({ storage });
  assert.equal(next.user.first_name, "Ada");
  await next.call("/profile", "me", {});
  assert.equal(server.connectsTo("/profile")[0].auth.token, "access-1");
});

test("logging out revokes the refresh token and deletes the session", async () => {
  const client = await server.signedIn({ storage });
  await client.logout();
  assert.equal(server.commands("logout")[0].payload.refresh_token, "refresh-1");
  assert.equal(storage.getItem("parley.session"), null);
  await assert.rejects(client.call("/booking", "list", {}), { code: "SIGNED_OUT" });
});

test("visitors connect without a token, and reconnect with one after signing in", async () => {
  rotating();
  const client = server.client({ storage });
  await client.call("/consultants", "list", {});
  await client.login("ada@example.org", "correct horse");
  await client.call("/consultants", "list", {});
  const tokens = server.connectsTo("/consultants").map(({ auth }) => auth.token);
  assert.deepEqual(tokens, [undefined, "access-1"]);
});

test("completing the sign-up starts a session", async () => {
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

/** Answers each login with the next of these sessions. */
function logins(...sessions) {
  server.answer = ({ command }) =>
    ({ ok: true, data: command === "login" ? sessions.shift() : {} });
}

/** Simulates the storage events that browsers send to other tabs. */
function tellTabs(t) {
  const tabs = new Set();
  globalThis.addEventListener = (_, listener) => tabs.add(listener);
  t.after(() => delete globalThis.addEventListener);
  return () => tabs.forEach((listener) => listener({ key: "parley.session" }));
}

const login = (client) => client.login("somebody@example.org", "correct horse");

/** Records a client's sign-ins and sign-outs. */
function sessionEvents(client) {
  const heard = new Heard();
  client.on("signed_in", ({ user }) => heard.note(`in ${user.id}`));
  client.on("signed_out", ({ reason }) => heard.note(`out ${reason}`));
  return heard;
}

test("a second login of the same user also applies to the other tab", async (t) => {
  const tell = tellTabs(t);
  logins(sessionNumber(1), sessionNumber(2));
  const first = server.client({ storage });
  await login(first);
  const second = server.client({ storage });
  await second.call("/booking", "list", {});
  const heard = sessionEvents(second);
  await login(first);
  tell();
  await second.call("/booking", "list", {});
  assert.deepEqual(heard.all, ["in ada"]);
  assert.equal(server.connectsTo("/booking").at(-1).auth.token, "access-2");
});

test("the end of an old session does not end its successor", async () => {
  logins(sessionNumber(1), sessionNumber(2));
  const first = server.client({ storage });
  await login(first);
  const second = server.client({ storage });
  await second.call("/booking", "list", {});
  const heard = sessionEvents(second);
  await login(first);
  server.emit("/booking", "session_ended", { reason: "ended" });
  await heard.count(1);
  await second.call("/booking", "list", {});
  assert.deepEqual(heard.all, ["in ada"]);
  assert.equal(server.connectsTo("/booking").at(-1).auth.token, "access-2");
  assert.equal(first.user.id, "ada");
});

test("other tabs see a refreshed session as the same session", async (t) => {
  const tell = tellTabs(t);
  rotating(0);
  const first = server.client({ storage });
  await login(first);
  const second = server.client({ storage });
  const heard = sessionEvents(second);
  await first.call("/booking", "list", {});
  tell();
  assert.equal(server.commands("refresh").length, 1);
  assert.deepEqual(heard.all, []);
});

test("a login as another user signs out the previous user first", async () => {
  logins(sessionNumber(1), sessionNumber(2, 900, BEN));
  const client = server.client({ storage });
  await login(client);
  const heard = sessionEvents(client);
  const late = new Heard();
  client.on("signed_out", () =>
    late.note(client.call("/chat", "send", { text: "of Ada" }).catch(({ code }) => code)));
  await login(client);
  assert.deepEqual(heard.all, ["out LOGGED_OUT", "in ben"]);
  assert.equal(await late.all[0], "SIGNED_OUT");
  await client.call("/chat", "list", {});
  assert.deepEqual(server.commands("send"), []);
});

test("a pending command is not retried for the next user", async () => {
  logins(sessionNumber(1), sessionNumber(2, 900, BEN));
  const client = server.client({ storage });
  await login(client);
  const usual = server.answer;
  server.answer = (asked) => (asked.command === "request" ? undefined : usual(asked));
  const waiting = client.call("/booking", "request", { block_id: "b", topic_id: "t" });
  await server.until(() => server.commands("request").length);
  await Promise.all([assert.rejects(waiting, { code: "SIGNED_OUT" }), login(client)]);
  await client.call("/booking", "list", {});
  assert.equal(server.commands("request").length, 1);
});

test("a full queue does not block the refresh that it waits for", async () => {
  rotating(0);
  const client = server.client({ storage });
  await login(client);
  const list = () => client.call("/booking", "list", {});
  const answers = await Promise.allSettled(Array.from({ length: 200 }, list));
  assert.deepEqual(answers.filter(({ status }) => status === "rejected"), []);
  assert.equal(server.connectsTo("/booking")[0].auth.token, "access-2");
});

/** Replaces the browser's `localStorage`. */
function withStorage(t, descriptor) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", { ...descriptor, configurable: true });
  t.after(() => {
    delete globalThis.localStorage;
    if (before) Object.defineProperty(globalThis, "localStorage", before);
  });
}

const forbid = () => {
  throw new Error("The operation is insecure.");
};

for (const [what, descriptor] of [
  ["forbidden", { get: forbid }],
  ["full", { value: { ...inMemory(), setItem: forbid } }],
]) {
  test(`with a ${what} storage, the session lasts until the page closes`, async (t) => {
    withStorage(t, descriptor);
    logins(sessionNumber(1));
    const client = server.client();
    await login(client);
    await client.call("/booking", "list", {});
    assert.equal(client.user.id, "ada");
  });
}
