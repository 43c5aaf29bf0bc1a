/** What is on its way out: in order, once, and never in another's name. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { BEN, sessionNumber } from "./fake_server.mjs";
import { openPage, settled, signIn } from "./page.mjs";

let server;
let parley;
let close;
let messages;

before(async () => {
  ({ server, parley, close } = await openPage());
  messages = await import("../../static/client/messages.js");
});
after(() => close());

beforeEach(async () => {
  await parley.logout();
  server.answer = () => ({ ok: true, data: {} });
  server.asked = [];
  await signIn(server, parley, sessionNumber(1));
});

const texts = () => server.commands("send").map(({ payload }) => payload.text);

test("what was acknowledged is not on its way any more", async () => {
  messages.send("c1", "Hello");
  assert.equal(messages.outgoing.value.length, 1);
  await server.until(() => texts().length);
  await new Promise((resolve) => {
    messages.outgoing.subscribe((left) => !left.length && resolve());
  });
});

test("what was refused stays, and goes out again under the same id", async () => {
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

test("what one person wrote is not sent by the next", async () => {
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
