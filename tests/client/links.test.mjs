/** Addresses of files are renewed before they expire, together, as long as they are shown. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, mock, test } from "node:test";
import { openPage, settled } from "./page.mjs";

const LIFETIME_S = 300;

let close;
let Links;
let links;
/** @type {string[][]} The ids of each request. */
let asked;
/** @type {(ids: string[]) => Promise<any>} */
let answer;
let number;
let stops;

before(async () => {
  ({ close } = await openPage());
  ({ Links } = await import("../../static/client/platform/links.js"));
});
after(() => close());

const address = () => ({ url: `address-${++number}`, expires_in_s: LIFETIME_S });
const found = (/** @type {string[]} */ ids) => new Map(ids.map((id) => [id, address()]));

beforeEach(() => {
  mock.timers.enable({ apis: ["Date", "setTimeout"] });
  [asked, number, stops] = [[], 0, []];
  answer = async (ids) => found(ids);
  links = new Links((ids) => {
    asked.push(ids);
    return answer(ids);
  }, 3);
});
afterEach(() => {
  for (const stop of stops) stop();
  mock.timers.reset();
});

/** Follows a file; the result is the latest state. */
function shown(id) {
  const seen = { state: null, stop: () => {} };
  seen.stop = links.follow(id, (state) => (seen.state = state));
  stops.push(seen.stop);
  return seen;
}

async function pass(seconds) {
  mock.timers.tick(seconds * 1_000);
  await settled();
}

test("files that appear together are asked for together, within a limit", async () => {
  const all = ["a", "b", "c", "d"].map(shown);
  await settled();
  assert.deepEqual(asked, [["a", "b", "c"], ["d"]]);
  assert.deepEqual(all.map((one) => one.state.links.url),
    ["address-1", "address-2", "address-3", "address-4"]);
});

test("an address is renewed before it expires, as long as its file is shown", async () => {
  const file = shown("a");
  await settled();
  for (let round = 2; round < 9; round++) {
    await pass(LIFETIME_S * 0.8 - 1);
    assert.equal(asked.length, round - 1);
    assert.ok(links.isValid("a"));
    await pass(1);
    assert.equal(asked.length, round);
    assert.equal(file.state.links.url, `address-${round}`);
  }
  file.stop();
  await pass(LIFETIME_S * 10);
  assert.equal(asked.length, 8);
  assert.equal(links.isValid("a"), false);
});

test("addresses that are due at about the same time are renewed by one request", async () => {
  shown("a");
  await settled();
  await pass(20);
  shown("b");
  await settled();
  await pass(100);
  shown("c");
  await settled();
  asked.length = 0;
  await pass(LIFETIME_S * 0.8 - 120);
  assert.deepEqual(asked, [["a", "b"]]);
});

test("a file that several parts of the page show has one address", async () => {
  const [one, other] = [shown("a"), shown("a")];
  await settled();
  assert.deepEqual(asked, [["a"]]);
  assert.equal(one.state, other.state);
  one.stop();
  await pass(LIFETIME_S * 0.8);
  assert.equal(other.state.links.url, "address-2");
});

test("the lifetime counts from the request, not from a late answer", async () => {
  let arrive;
  answer = () => new Promise((resolve) => (arrive = resolve));
  shown("a");
  await settled();
  await pass(LIFETIME_S - 10);
  arrive(found(["a"]));
  answer = async (ids) => found(ids);
  await settled();
  assert.ok(links.isValid("a"));
  await pass(9);
  assert.equal(asked.length, 2, "it was due already");
});

test("a failed renewal keeps the address and is repeated, more and more slowly", async () => {
  const file = shown("a");
  await settled();
  answer = async () => Promise.reject(new Error("offline"));
  await pass(LIFETIME_S * 0.8);
  assert.equal(file.state.links.url, "address-1");
  for (const [pause, count] of [[1, 3], [1, 3], [1, 4], [4, 5]]) {
    await pass(pause);
    assert.equal(asked.length, count);
  }
  answer = async (ids) => found(ids);
  await pass(8);
  assert.equal(file.state.links.url, "address-2");
  assert.equal(file.state.error, null);
});

test("a first request that fails shows its error until it is repeated", async () => {
  answer = async () => Promise.reject(Object.assign(new Error(), { code: "UNAVAILABLE" }));
  const file = shown("a");
  await settled();
  assert.deepEqual([file.state.links, file.state.error.code], [null, "UNAVAILABLE"]);
  answer = async (ids) => found(ids);
  await links.renew("a");
  assert.equal(file.state.links.url, "address-1");
});

test("a file that is gone is not asked for again", async () => {
  const file = shown("a");
  await settled();
  answer = async () => new Map();
  await pass(LIFETIME_S * 0.8);
  assert.deepEqual([file.state.links, file.state.error.code], [null, "NOT_FOUND"]);
  await pass(LIFETIME_S * 10);
  assert.equal(asked.length, 2);
});

test("a device that was asleep renews what expired meanwhile when it wakes", async () => {
  const file = shown("a");
  await settled();
  mock.timers.setTime(Date.now() + LIFETIME_S * 4_000);
  assert.equal(links.isValid("a"), false);
  links.wake();
  await settled();
  assert.equal(file.state.links.url, "address-2");
  assert.ok(links.isValid("a"));
});

test("requests for renewal during one that is under way are one more request", async () => {
  let arrive;
  answer = (ids) => new Promise((resolve) => (arrive = () => resolve(found(ids))));
  shown("a");
  shown("b");
  await settled();
  const renewed = Promise.all([links.renew("a"), links.renew("a"), links.renew("b")]);
  arrive();
  await settled();
  assert.deepEqual(asked, [["a", "b"], ["a", "b"]]);
  arrive();
  await renewed;
  await links.renew("unknown");
  assert.equal(asked.length, 2);
});
