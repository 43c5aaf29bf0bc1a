/** Drafts are shared between devices, and never overwrite what the user is writing. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { signal } from "@preact/signals";
import { sessionNumber } from "./fake_server.mjs";
import { openPage, settled, signIn } from "./page.mjs";

let server;
let parley;
let close;
let drafts;
let text;
let draft;

before(async () => {
  ({ server, parley, close } = await openPage());
  drafts = await import("../../static/client/platform/drafts.js");
});
after(() => close());

beforeEach(async () => {
  await parley.logout();
  server.answer = () => ({ ok: true, data: {} });
  server.asked = [];
  await signIn(server, parley, sessionNumber(1));
  text = signal("");
  draft = new drafts.Draft("c1", text);
});

const asked = () => server.commands("draft").map(({ payload }) => payload.text);

/** Writes a draft and leaves the conversation. @param {string} begun */
function leave(begun) {
  text.value = begun;
  draft.now();
}

test("leaving saves the draft at once, but not if it is unchanged", async () => {
  leave("So");
  draft.now();
  leave("So far");
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["So", "So far"]);
});

test("while a draft is being saved, only the latest one waits", async () => {
  let answer;
  server.answer = () => new Promise((resolve) => (answer = resolve));
  leave("a");
  leave("ab");
  leave("abc");
  await server.until(() => asked().length === 1);
  server.answer = () => ({ ok: true, data: {} });
  answer({ ok: true, data: {} });
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["a", "abc"]);
});

test("a draft of another device is shown unless the user is writing", () => {
  draft.hear("from there");
  assert.equal(text.value, "from there");
  draft.hear("");
  assert.equal(text.value, "");
  text.value = "written here";
  draft.hear("and there");
  assert.equal(text.value, "written here");
});

test("a sent text leaves its draft to the server", async () => {
  leave("See you");
  await server.until(() => asked().length === 1);
  await settled();
  text.value = "";
  draft.sent("See you at 5");
  draft.hear("");
  draft.now();
  await settled();
  assert.deepEqual(asked(), ["See you"]);
});

test("a draft that the server would not recognize is cleared here", async () => {
  leave("Se you");
  await server.until(() => asked().length === 1);
  await settled();
  text.value = "";
  draft.sent("See you");
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["Se you", ""]);
});

test("a draft that is still being stored does not outlive its message", async () => {
  let answer;
  server.answer = () => new Promise((resolve) => (answer = resolve));
  leave("S");
  leave("See");
  await server.until(() => asked().length === 1);
  text.value = "";
  draft.sent("See you");
  server.answer = () => ({ ok: true, data: {} });
  answer({ ok: true, data: {} });
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["S", ""]);
});

test("a discarded text takes its draft along", async () => {
  drafts.discard("c1");
  await server.until(() => asked().length === 1);
  assert.deepEqual(asked(), [""]);
});

test("an older draft from the server does not overwrite newer text", () => {
  leave("So");
  leave("So far");
  draft.hear("So");
  assert.equal(text.value, "So far");
  draft.hear("So far");
  draft.hear("from there");
  assert.equal(text.value, "from there");
});
