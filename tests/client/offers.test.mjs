/** A place is kept for somebody until they take it, decline it, or let the time pass. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { sessionNumber } from "./fake_server.mjs";
import { openPage, signIn } from "./page.mjs";

let server;
let parley;
let close;
let notices;
let offers;
let listed;

before(async () => {
  ({ server, parley, close } = await openPage());
  notices = await import("../../static/client/platform/notices.js");
  offers = await import("../../static/client/consulting/offers.js");
  await signIn(server, parley, sessionNumber(1));
});
after(() => close());

const inMinutes = (count) => new Date(Date.now() + count * 60_000).toISOString();
const offered = (id, expires_at) =>
  ({ id, kind: "waiting_list_offered", data: { block_id: "block", expires_at } });

/** The page, opened when these notifications were there. */
async function open(...notifications) {
  listed = notifications;
  notices.startNotices();
  await notices.notices.value.reload();
}

beforeEach(() => {
  const page = () => ({ notifications: listed, unread: 0, next: null, seq: 0 });
  server.answer = () => ({ ok: true, data: page() });
});

test("an offer stands until its time is over", async () => {
  const expires_at = inMinutes(5);
  await open(offered("n1", expires_at));
  assert.deepEqual(offers.offerOf("block"), { id: "n1", expires_at });
  assert.equal(offers.offerOf("another"), null);
  await open(offered("n1", inMinutes(-5)));
  assert.equal(offers.offerOf("block"), null);
});

test("a settled offer is none any more, and the next one stands", async () => {
  const expires_at = inMinutes(5);
  await open(offered("n1", expires_at));
  offers.settleOffer("block");
  assert.equal(offers.offerOf("block"), null);
  await open(offered("n1", expires_at));
  assert.equal(offers.offerOf("block"), null);
  await open(offered("n2", expires_at), offered("n1", expires_at));
  assert.equal(offers.offerOf("block").id, "n2");
});

test("asking for the block settles its offer, on whichever device", async () => {
  await open(offered("n3", inMinutes(5)));
  await parley.call("/booking", "list", {});
  const told = new Promise((resolve) => {
    const stop = parley.on("/booking", "BOOKING_REQUESTED", () => resolve(stop()));
  });
  const booking = { student_id: "ada", block_id: "block" };
  const meta = { room: "user:ada", seq: 1, id: "e1", at: "" };
  server.emit("/booking", "BOOKING_REQUESTED", { booking }, meta);
  await told;
  assert.equal(offers.offerOf("block"), null);
});
