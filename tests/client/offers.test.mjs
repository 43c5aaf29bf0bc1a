/** A place is offered to a student until they accept, decline, or the offer expires. */

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

/** Opens the page with these notifications. */
async function open(...notifications) {
  listed = notifications;
  notices.startNotices();
  await notices.notices.value.reload();
}

beforeEach(() => {
  const page = () => ({ notifications: listed, unread: 0, next: null, seq: 0 });
  server.answer = () => ({ ok: true, data: page() });
});

test("an offer is shown until it expires", async () => {
  const expires_at = inMinutes(5);
  await open(offered("n1", expires_at));
  assert.deepEqual(offers.offerOf("block"), { id: "n1", expires_at });
  assert.equal(offers.offerOf("another"), null);
  await open(offered("n1", inMinutes(-5)));
  assert.equal(offers.offerOf("block"), null);
});

test("a settled offer is not shown again, but the next one is", async () => {
  const expires_at = inMinutes(5);
  await open(offered("n1", expires_at));
  offers.settleOffer("block");
  assert.equal(offers.offerOf("block"), null);
  await open(offered("n1", expires_at));
  assert.equal(offers.offerOf("block"), null);
  await open(offered("n2", expires_at), offered("n1", expires_at));
  assert.equal(offers.offerOf("block").id, "n2");
});

test("requesting the block on any device settles its offer", async () => {
  await open(offered("n3", inMinutes(5)));
  await parley.call("/booking", "list", {});
  const received = new Promise((resolve) => {
    const stop = parley.on("/booking", "BOOKING_REQUESTED", () => resolve(stop()));
  });
  const booking = { student_id: "ada", block_id: "block" };
  const meta = { room: "user:ada", seq: 1, id: "e1", at: "" };
  server.emit("/booking", "BOOKING_REQUESTED", { booking }, meta);
  await received;
  assert.equal(offers.offerOf("block"), null);
});
