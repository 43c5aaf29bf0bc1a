/**
 * The whole journey with the official client. It checks every answer, refusal, event, order and
 * number against the protocol. Arguments: the server's URL and its mail folder.
 */

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Device, hasFields } from "./device.mjs";
import { is, pincode } from "./shapes.mjs";

const [url, mails] = process.argv.slice(2);
const PASSWORD = "correct horse battery";
const NOBODY = "00000000-0000-7000-8000-000000000000";
const NAMESPACES = ["/profile", "/consultants", "/availability", "/booking", "/chat",
  "/waiting-room", "/call", "/presence", "/notifications"];
const HOUR_MS = 3_600_000;
const own = (person) => `user:${person.id}`;

/** Signs a user up; returns them with a device that has their token. */
async function signUp(name, transports) {
  const email = `${name}@example.org`;
  const visitor = await new Device(url, ["polling"]).enter("/signup");
  const signup = visitor.in("/signup");
  const form = { email, first_name: name, last_name: "Example", password: PASSWORD };
  const { ticket, ...sent } = await signup.call("start", { email });
  assert.deepEqual(sent, { expires_in_s: 600 });
  const right = await pincode(mails, email);
  const wrong = right === "000000" ? "000001" : "000000";
  await signup.expectRefusal("complete", { ...form, pincode: wrong }, "PINCODE_WRONG");
  const weak = { ...form, password: "password1", pincode: right };
  await signup.expectRefusal("complete", weak, "PASSWORD_WEAK");
  const session = is("Session", await signup.call("complete", { ...form, ticket, pincode: right }));
  const { user } = session;
  const settings = { theme: "system", clock: "24h", read_receipts: true };
  is("User", user, { email, email_verified: true, roles: ["student"], settings });
  assert.equal(visitor.transport, "polling");
  visitor.close();
  const device = new Device(url, transports, session.access_token);
  return { id: user.id, name, email, session, device, in: (to) => device.in(to) };
}

async function visitorsGetSpecificErrors() {
  const device = new Device(url, ["websocket"]);
  const nobody = (code) => (refusal) => {
    assert.equal(typeof refusal.message, "string");
    assert.equal(refusal.data.code, code);
    return true;
  };
  await assert.rejects(device.in("/booking").enter(), nobody("TOKEN_MISSING"));
  device.in("/booking").auth = { token: "made.up.token" };
  await assert.rejects(device.in("/booking").enter(), nobody("TOKEN_INVALID"));
  await device.enter("/signup", "/auth", "/consultants", "/availability");
  const signup = device.in("/signup");
  await signup.expectRefusal("nonsense", {}, "UNKNOWN_COMMAND");
  for (const payload of [{}, { email: "not one" }, { email: "a@b.org", role: "admin" }, null]) {
    const { details } = await signup.expectRefusal("start", payload, "INVALID");
    assert.ok("path" in details && "expected" in details, JSON.stringify(details));
  }
  const login = { email: "nobody@example.org", password: PASSWORD };
  await device.in("/auth").expectRefusal("login", login, "CREDENTIALS_WRONG");
  assert.deepEqual(await device.in("/consultants").call("list", {}),
    { consultants: [], next: null });
  await device.in("/consultants").expectRefusal("get", { consultant_id: NOBODY }, "NOT_FOUND");
  await device.in("/availability").expectRefusal("get_schedule", {}, "FORBIDDEN");
  device.close();
}

async function sessionsAreRefreshedAndRevoked(ada) {
  const auth = (await new Device(url, ["websocket"]).enter("/auth")).in("/auth");
  const login = { email: ada.email, password: PASSWORD };
  const first = is("Session", await auth.call("login", login));
  const used = { refresh_token: first.refresh_token };
  const second = is("Session", await auth.call("refresh", used));
  assert.notEqual(second.refresh_token, first.refresh_token);
  const again = await auth.call("refresh", used);
  assert.equal(again.refresh_token, second.refresh_token, "a lost answer is given again");
  const third = await auth.call("refresh", { refresh_token: second.refresh_token });
  const device = await new Device(url, ["websocket"], third.access_token).enter("/profile");
  await auth.expectRefusal("refresh", used, "REFRESH_REUSED");
  const { data } = await device.in("/profile").next("session_ended");
  hasFields(data, ["reason", "session_id"]);
  await device.in("/profile").next("disconnect");
  await assert.rejects(device.in("/profile").enter(), { data: { code: "SESSION_REVOKED" } });
  await auth.expectRefusal("refresh", { refresh_token: third.refresh_token }, "SESSION_REVOKED");
}

async function everyoneConnects(...people) {
  for (const person of people) {
    for (const name of NAMESPACES) {
      const synced = await person.in(name).enter();
      hasFields(synced, ["epoch", "protocol", "rooms"]);
      for (const room of Object.values(synced.rooms)) hasFields(room, ["seq", "recovered"]);
      if (name === "/booking") assert.deepEqual(Object.keys(synced.rooms), [own(person)]);
    }
  }
}

async function adaBecomesAConsultant(ada, ben) {
  const profile = ada.in("/profile");
  is("User", await profile.call("me", {}), { id: ada.id });
  const language = { language: "de", request_id: "one" };
  is("User", await profile.call("update", language), { language: "de" });
  is("User", (await profile.receives("USER_UPDATED", own(ada))).user, { language: "de" });
  await profile.call("update", language);
  await profile.expectRefusal("update", { language: "en", request_id: "one" }, "CONFLICT");
  await profile.expectRefusal("update", { roles: ["admin"] }, "INVALID");
  await profile.expectRefusal("update", { time_zone: "Middle/Earth" }, "INVALID");
  profile.receivedNothingElse();
  const called = { first_name: "ben", last_name: "Example", picture_id: null };
  assert.deepEqual(await profile.call("people", { user_ids: [ben.id, NOBODY] }),
    { people: { [ben.id]: called } });

  const hers = ada.in("/consultants");
  const topic = { name: "Compilers", description: "Parsing", minimal_duration_minutes: 15,
    hourly_rate: { amount: 6050, currency: "EUR" } };
  await hers.expectRefusal("add_topic", topic, "NOT_A_CONSULTANT");
  const about = { about_me: "I listen.", languages: ["en"], country: "DE", time_zone: "UTC" };
  await hers.expectRefusal("become", { ...about, country: "XX" }, "INVALID");
  is("Consultant", await hers.call("become", about),
    { ...about, id: ada.id, status: "active", age: null, available_now: false, topics: [] });
  await hers.expectRefusal("become", about, "ALREADY_CONSULTANT");
  const roles = (await profile.receives("USER_UPDATED", own(ada))).user.roles;
  assert.deepEqual(roles, ["student", "consultant"]);

  const his = ben.in("/consultants");
  const watch = { consultant_id: ada.id };
  const { seq } = is("Consultant", await his.call("watch", watch), { id: ada.id }, ["seq"]);
  his.heads[`consultant:${ada.id}`] = seq;
  const made = is("Topic", await hers.call("add_topic", topic),
    { ...topic, consultant_id: ada.id, icon_url: null, active: true });
  const told = await his.receives("TOPIC_ADDED", `consultant:${ada.id}`);
  assert.deepEqual(told, { topic: made });
  const { id: gone } = await hers.call("add_topic", { ...topic, name: "Gone" });
  assert.deepEqual(await hers.call("remove_topic", { topic_id: gone }), {});
  await his.receives("TOPIC_ADDED", `consultant:${ada.id}`);
  await his.receives("TOPIC_REMOVED", `consultant:${ada.id}`);
  const listed = await his.call("list", {});
  hasFields(listed, ["consultants", "next"]);
  assert.deepEqual(listed.consultants[0].topics, [made]);
  return { topic_id: made.id, gone_id: gone };
}

async function adaSetsHerSchedule(ada, ben) {
  const hers = ada.in("/availability");
  const his = ben.in("/availability");
  const watched = await his.call("watch", { consultant_id: ada.id });
  hasFields(watched, ["available_now", "seq"]);
  const room = `consultant:${ada.id}`;
  his.heads[room] = watched.seq;
  const hours = Array.from({ length: 7 * 24 }, (_, n) =>
    ({ weekday: Math.floor(n / 24), hour: n % 24, max_calls: 1 }));
  const week = { time_zone: "UTC", blocks: hours };
  await his.expectRefusal("set_default_schedule", week, "FORBIDDEN");
  const wrong = { ...week, blocks: [{ weekday: 7, hour: 0, max_calls: 1 }] };
  await hers.expectRefusal("set_default_schedule", wrong, "INVALID");
  const set = await hers.call("set_default_schedule", week);
  hasFields(set, ["blocks"]);
  assert.deepEqual(await his.receives("DEFAULT_SCHEDULE_SET", room), set);
  assert.deepEqual(await hers.call("get_schedule", {}),
    { time_zone: "UTC", default: hours, overrides: [] });

  const from = new Date().toISOString();
  const to = new Date(Date.now() + 8 * HOUR_MS).toISOString();
  const listed = await his.call("list_blocks", { consultant_id: ada.id, from, to });
  hasFields(listed, ["blocks", "waits", "held", "seq"]);
  assert.equal(listed.seq, his.heads[room]);
  for (const block of listed.blocks) {
    is("Block", block, { consultant_id: ada.id, max_calls: 1, taken: 0, status: "available" });
    assert.equal(Date.parse(block.ends_at) - Date.parse(block.starts_at), HOUR_MS);
    assert.ok(block.ends_at > from && block.starts_at < to);
  }
  const { starts_at } = listed.blocks[1];
  assert.deepEqual(await his.call("check", { consultant_id: ada.id, at: starts_at }),
    { status: "available" });
  return listed.blocks;
}

/** Checks that users receive the same booking, each in their own room. */
async function bothReceive(event, booking, ...people) {
  for (const person of people) {
    const told = await person.in("/booking").receives(event, own(person));
    assert.deepEqual(told, { booking });
  }
}

async function benBooksAndAdaApproves({ ada, ben, cleo }, blocks, { topic_id, gone_id }) {
  const [, soon, later] = blocks;
  const his = ben.in("/booking");
  const hers = ada.in("/booking");
  const room = `consultant:${ada.id}`;
  const ask = { block_id: soon.id, topic_id, note: "It loops", request_id: "book" };
  await hers.expectRefusal("request", ask, "OWN_BLOCK");
  await his.expectRefusal("request", { ...ask, topic_id: gone_id }, "TOPIC_NOT_OFFERED");
  await his.expectRefusal("request", { ...ask, block_id: NOBODY }, "NOT_FOUND");
  const asked = is("Booking", await his.call("request", ask), { student_id: ben.id, topic_id,
    consultant_id: ada.id, block_id: soon.id, status: "requested", note: "It loops",
    reason: null, hourly_rate: { amount: 6050, currency: "EUR" }, minimal_duration_minutes: 15,
    starts_at: soon.starts_at, ends_at: soon.ends_at });
  assert.deepEqual(await his.call("request", ask), asked, "the same request_id, the same answer");
  await his.expectRefusal("request", { ...ask, note: "Other" }, "CONFLICT");
  await his.expectRefusal("request", { ...ask, request_id: "another" }, "OVERLAPS");
  await cleo.in("/booking").expectRefusal("request", ask, "BLOCK_FULL");
  await bothReceive("BOOKING_REQUESTED", asked, ada, ben);
  const full = { ...soon, taken: 1, status: "full" };
  for (const event of ["AVAILABILITY_BLOCK_FULL", "AVAILABILITY_UPDATED"]) {
    assert.deepEqual(await ben.in("/availability").receives(event, room), { block: full });
  }

  const answer = { booking_id: asked.id, version: asked.version };
  await his.expectRefusal("approve", answer, "FORBIDDEN");
  await cleo.in("/booking").expectRefusal("get", { booking_id: asked.id }, "NOT_FOUND");
  await hers.expectRefusal("approve", { ...answer, version: asked.version + 1 }, "CONFLICT");
  const approved = is("Booking", await hers.call("approve", answer),
    { id: asked.id, status: "approved", hold_expires_at: null });
  assert.ok(approved.version > asked.version);
  await bothReceive("BOOKING_APPROVED", approved, ada, ben);
  await bothReceive("BOOKING_CREATED", approved, ada, ben);
  await hers.expectRefusal("approve", { booking_id: asked.id }, "WRONG_STATE");
  await his.expectRefusal("reschedule", { booking_id: asked.id, block_id: NOBODY }, "NOT_FOUND");
  const page = await his.call("list", { status: "approved" });
  assert.deepEqual(page, { bookings: [approved], next: null, seq: his.heads[own(ben)] });

  const extra = { block_id: later.id, topic_id };
  const { id: extra_id } = await his.call("request", extra);
  const reason = { booking_id: extra_id, reason: "Not then" };
  const rejected = is("Booking", await hers.call("reject", reason),
    { status: "rejected", reason: "Not then" });
  for (const person of [ada, ben]) await person.in("/booking").next("BOOKING_REQUESTED");
  await bothReceive("BOOKING_REJECTED", rejected, ada, ben);
  for (const event of ["AVAILABILITY_BLOCK_FULL", "AVAILABILITY_UPDATED",
    "AVAILABILITY_BLOCK_AVAILABLE", "AVAILABILITY_UPDATED"]) {
    await ben.in("/availability").receives(event, room);
  }
  return approved;
}

async function cleoUsesTheWaitingList({ ada, ben, cleo }, blocks, { topic_id }) {
  const block = blocks[3];
  const hers = cleo.in("/availability");
  const place = { block_id: block.id };
  await hers.expectRefusal("join_waiting_list", place, "BLOCK_NOT_FULL");
  const booking = await ben.in("/booking").call("request", { ...place, topic_id });
  assert.deepEqual(await hers.call("join_waiting_list", place), { position: 1 });
  const cancel = { booking_id: booking.id };
  is("Booking", await ben.in("/booking").call("cancel", cancel), { status: "cancelled" });
  const offer = await hers.receives("WAITING_LIST_OFFERED", own(cleo));
  hasFields(offer, ["block", "expires_at"]);
  is("Block", offer.block, { id: block.id, status: "full" });
  const taken = await cleo.in("/booking").call("request", { ...place, topic_id });
  const move = { booking_id: taken.id, block_id: blocks[4].id };
  is("Booking", await cleo.in("/booking").call("reschedule", move),
    { status: "requested", block_id: blocks[4].id });
  for (const event of ["BOOKING_REQUESTED", "BOOKING_CANCELLED"]) {
    await ada.in("/booking").receives(event, own(ada));
    await ben.in("/booking").receives(event, own(ben));
  }
  for (const event of ["BOOKING_REQUESTED", "BOOKING_RESCHEDULED"]) {
    await ada.in("/booking").receives(event, own(ada));
    await cleo.in("/booking").receives(event, own(cleo));
  }
  for (const person of [ada, ben, cleo]) person.in("/booking").receivedNothingElse();
  return taken.id;
}

/** Takes a membership event, which a user receives in the conversation's room and their own. */
async function receivesInBothRooms(event, person, room) {
  const twice = [await person.in("/chat").next(event), await person.in("/chat").next(event)];
  assert.deepEqual(twice.map(({ meta }) => meta.room).sort(), [room, own(person)].sort());
  assert.deepEqual(twice[0].data, twice[1].data);
  const noted = event === "CONVERSATION_OPENED" ? [] : ["message"];
  hasFields(twice[0].data, ["conversation", "user_id", ...noted]);
  return twice[0].data;
}

async function adaAndBenChat({ ada, ben, cleo }) {
  const [hers, his] = [ada.in("/chat"), ben.in("/chat")];
  const chat = is("Conversation", await his.call("open", { user_id: ada.id }), { kind: "direct" });
  assert.deepEqual([...chat.member_ids].sort(), [ada.id, ben.id].sort());
  assert.equal((await hers.call("open", { user_id: ben.id })).id, chat.id);
  const conversation_id = chat.id;
  const room = `chat:${conversation_id}`;
  for (const person of [ada, ben]) {
    const { conversation } = await receivesInBothRooms("CONVERSATION_OPENED", person, room);
    assert.equal(conversation.seq, person.in("/chat").heads[room]);
  }
  const say = { conversation_id, client_id: "1", text: "Good day" };
  await cleo.in("/chat").expectRefusal("send", say, "NOT_FOUND");
  await his.expectRefusal("send", { ...say, text: " " }, "INVALID");
  const sent = is("Message", await his.call("send", say), { conversation_id, client_id: "1",
    sender_id: ben.id, kind: "text", text: "Good day", card: null, edited_at: null,
    deleted: false });
  assert.equal(sent.seq, chat.seq + 1);
  assert.equal(his.received.length, 1, "one's own event comes before the answer");
  assert.deepEqual(await his.call("send", say), sent);
  await his.expectRefusal("send", { ...say, text: "Twice" }, "CONFLICT");
  assert.equal((await his.next("MESSAGE_SENT")).meta.seq, sent.seq);
  assert.deepEqual(await hers.receives("MESSAGE_SENT", room), { message: sent });

  assert.deepEqual(await hers.call("typing", { conversation_id }), {});
  const { data: ephemeral, meta } = await his.next("typing");
  assert.deepEqual(ephemeral, { conversation_id, user_id: ada.id });
  assert.equal(meta?.seq, undefined, "a whisper has no number");
  assert.deepEqual(await hers.call("mark_read", { conversation_id, seq: sent.seq }), {});
  const mark = { conversation_id, user_id: ada.id, seq: sent.seq };
  assert.deepEqual(await his.receives("MESSAGE_READ", room), mark);
  await hers.call("mark_read", { conversation_id, seq: sent.seq - 1 });
  await hers.expectRefusal("edit", { message_id: sent.id, text: "Mine" }, "NOT_FOUND");
  const edit = { message_id: sent.id, text: "Good day!" };
  const edited = is("Message", await his.call("edit", edit), { seq: sent.seq, text: "Good day!" });
  assert.notEqual(edited.edited_at, null);
  assert.deepEqual(await his.receives("MESSAGE_EDITED", room), { message: edited });
  const page = await hers.call("history", { conversation_id });
  assert.deepEqual(page, { messages: [edited], has_more: false, next: null, seq: his.heads[room] });
  for (const event of ["MESSAGE_READ", "MESSAGE_EDITED"]) await hers.receives(event, room);
  hers.receivedNothingElse();
  his.receivedNothingElse();
  return { conversation_id, room };
}

async function aCardShowsTheBooking({ ada, ben }, { conversation_id, room }, block, topic_id) {
  const ask = { conversation_id, block_id: block.id, topic_id };
  const booking = is("Booking", await ben.in("/chat").call("request_booking", ask),
    { block_id: block.id, status: "requested" });
  const { message } = await ada.in("/chat").receives("MESSAGE_SENT", room);
  is("Message", message, { kind: "card" });
  assert.deepEqual(message.card, { kind: "booking", id: booking.id, data: booking });
  const rejected = await ada.in("/booking").call("reject", { booking_id: booking.id });
  const { message: current } = await ada.in("/chat").receives("MESSAGE_EDITED", room);
  assert.deepEqual(current.card.data, rejected);
  assert.equal(current.seq, message.seq);
  for (const event of ["MESSAGE_SENT", "MESSAGE_EDITED"]) {
    await ben.in("/chat").receives(event, room);
  }
  for (const person of [ada, ben]) {
    for (const event of ["BOOKING_REQUESTED", "BOOKING_REJECTED"]) {
      await person.in("/booking").receives(event, own(person));
    }
  }
}

async function benReconnectsWithSince({ ada, ben }, { conversation_id, room }) {
  const [hers, his] = [ada.in("/chat"), ben.in("/chat")];
  const { epoch } = his;
  his.socket.disconnect();
  await his.next("disconnect");
  const since = { ...his.heads };
  const missed = [];
  for (const client_id of ["2", "3"]) {
    missed.push(await hers.call("send", { conversation_id, client_id, text: client_id }));
  }
  await hers.call("edit", { message_id: missed[0].id, text: "two" });
  await hers.call("delete", { message_id: missed[1].id });
  his.auth = { ...his.auth, since, epoch };
  his.socket.connect();
  for (const event of ["MESSAGE_SENT", "MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_DELETED"]) {
    const { message } = await his.receives(event, room);
    await hers.receives(event, room);
    if (event !== "MESSAGE_DELETED") continue;
    is("Message", message, { id: missed[1].id, deleted: true, text: "" });
  }
  const synced = await his.next("synced");
  assert.deepEqual(synced.rooms[room], { seq: since[room] + 4, recovered: true });

  for (const unusable of [{ epoch, since: { [room]: 10 ** 6 } }, { epoch: NOBODY, since }]) {
    his.socket.disconnect();
    await his.next("disconnect");
    his.auth = { ...ben.in("/booking").auth, ...unusable };
    const { rooms } = await his.enter();
    assert.equal(rooms[room].recovered, false);
    assert.equal(rooms[room].seq, since[room] + 4);
  }
  his.receivedNothingElse();
}

/** After a lost connection, the client reconnects with the numbers that it received. */
async function cleoReconnectsByPolling({ ada, cleo }) {
  const [hers, theirs] = [ada.in("/chat"), cleo.in("/chat")];
  assert.equal(cleo.device.transport, "polling");
  const group = { name: "Parsers", member_ids: [cleo.id] };
  const { id: conversation_id } = is("Conversation", await hers.call("create_group", group),
    { kind: "group", name: "Parsers" });
  const room = `chat:${conversation_id}`;
  for (const person of [ada, cleo]) await receivesInBothRooms("CONVERSATION_OPENED", person, room);
  const first = { conversation_id, client_id: "1", text: "Welcome" };
  await hers.call("send", first);
  is("Message", (await theirs.receives("MESSAGE_SENT", room)).message, { text: "Welcome" });

  for (const name of NAMESPACES) cleo.in(name).resumeOnReconnect();
  cleo.device.dropConnection();
  for (const name of NAMESPACES) await cleo.in(name).nextExceptNotifications("disconnect");
  await hers.call("send", { ...first, client_id: "2", text: "Still there?" });
  const { message } = await theirs.receives("MESSAGE_SENT", room);
  is("Message", message, { text: "Still there?" });
  for (const name of NAMESPACES) {
    const { rooms } = await cleo.in(name).nextExceptNotifications("synced");
    assert.ok(Object.values(rooms).every(({ recovered }) => recovered), name);
    assert.ok(name !== "/chat" || rooms[room].seq === message.seq);
  }
  for (const event of ["MESSAGE_SENT", "MESSAGE_SENT"]) await hers.receives(event, room);

  const member = { conversation_id, user_id: cleo.id };
  await theirs.expectRefusal("remove_member", { conversation_id, user_id: ada.id }, "FORBIDDEN");
  const { member_ids } = is("Conversation", await hers.call("remove_member", member));
  assert.deepEqual(member_ids, [ada.id]);
  await receivesInBothRooms("MEMBER_REMOVED", cleo, room);
  assert.equal((await hers.receives("MEMBER_REMOVED", room)).user_id, cleo.id);
  await hers.call("send", { ...first, client_id: "3", text: "Alone" });
  await theirs.expectRefusal("send", { ...first, client_id: "4" }, "NOT_FOUND");
  await hers.next("MESSAGE_SENT");
  theirs.receivedNothingElse();
}

async function benWaitsAndIsAdmitted({ ada, ben, cleo }, booking, far) {
  const [hers, his] = [ada.in("/waiting-room"), ben.in("/waiting-room")];
  const enter = { booking_id: booking.id };
  await cleo.in("/waiting-room").expectRefusal("enter", { booking_id: far }, "WRONG_STATE");
  await ada.in("/booking").call("approve", { booking_id: far });
  await cleo.in("/waiting-room").expectRefusal("enter", { booking_id: far }, "TOO_EARLY");
  await cleo.in("/waiting-room").expectRefusal("enter", enter, "NOT_FOUND");
  await hers.expectRefusal("admit", enter, "WRONG_STATE");
  const place = is("Place", await his.call("enter", enter),
    { booking_id: booking.id, block_id: booking.block_id, student_id: ben.id, position: 1,
      ahead: 0 });
  assert.deepEqual(await hers.receives("WAITING_ROOM_ENTERED", own(ada)), { place });
  const queue = { block_id: booking.block_id };
  assert.deepEqual(await hers.call("queue", queue), { places: [place], seq: hers.heads[own(ada)] });
  await his.expectRefusal("queue", queue, "NOT_FOUND");
  await his.expectRefusal("admit", enter, "NOT_FOUND");
  const call = is("Call", await hers.call("admit", enter), { booking_id: booking.id,
    consultant_id: ada.id, student_id: ben.id, status: "initiated", started_at: null,
    ended_at: null, talked_s: 0 });
  is("Place", (await hers.receives("WAITING_ROOM_LEFT", own(ada))).place, { student_id: ben.id });
  for (const person of [ada, ben]) {
    assert.deepEqual(await person.in("/call").receives("CALL_INITIATED", own(person)), { call });
  }
  return call;
}

async function adaAndBenHaveACall({ ada, ben, cleo }, { id: call_id, booking_id }) {
  const [hers, his] = [ada.in("/call"), ben.in("/call")];
  const both = async (event, values) => {
    const told = [];
    for (const person of [ada, ben]) {
      const data = await person.in("/call").receives(event, own(person));
      hasFields(data, ["call"]);
      told.push(is("Call", data.call, { id: call_id, ...values }));
    }
    assert.deepEqual(told[0], told[1]);
    return told[0];
  };
  await cleo.in("/call").expectRefusal("join", { call_id }, "NOT_FOUND");
  is("Call", await hers.call("join", { call_id }), { status: "initiated" }, ["access"]);
  is("Call", await his.call("join", { call_id }), { status: "active" }, ["access"]);
  const { started_at } = await both("CALL_STARTED", { status: "active", talked_s: 0 });
  const began = Date.now();

  const offer = { call_id, to: ada.id, data: { sdp: "v=0", candidates: [1, null, "ä"] } };
  assert.deepEqual(await his.call("signal", offer), {});
  const { data: ephemeral, meta } = await hers.next("signal");
  assert.deepEqual(ephemeral, { call_id, from: ben.id, data: offer.data });
  assert.equal(meta?.seq, undefined);
  await his.expectRefusal("signal", { ...offer, to: cleo.id }, "NOT_FOUND");
  await cleo.in("/call").expectRefusal("signal", offer, "NOT_FOUND");

  await pause(1_100); // so that the duration of the call is at least a second
  is("Call", await his.call("leave", { call_id }), { status: "active" });
  const interrupted = await both("CALL_INTERRUPTED", { status: "active" });
  await his.call("join", { call_id });
  const resumed = await both("CALL_RESUMED", { status: "active" });
  assert.equal(resumed.talked_s, interrupted.talked_s, "nobody talks alone");
  const ended = is("Call", await hers.call("end", { call_id }), { status: "ended", started_at });
  assert.deepEqual(await both("CALL_ENDED"), ended);
  assert.deepEqual(await both("CALL_DURATION_RECORDED"), ended);
  assert.ok(ended.talked_s >= 1 && ended.talked_s <= (Date.now() - began) / 1000 + 1);
  for (const person of [ada, ben]) {
    const { booking } = await person.in("/booking").receives("BOOKING_COMPLETED", own(person));
    is("Booking", booking, { id: booking_id, status: "completed" });
    person.in("/call").receivedNothingElse();
  }
}

async function presenceAndNotifications({ ada, ben, cleo }) {
  const hers = ada.in("/presence");
  const { states } = await hers.call("watch", { user_ids: [cleo.id, NOBODY] });
  assert.deepEqual(states,
    { [cleo.id]: { online: true, status: "active", last_seen_at: states[cleo.id].last_seen_at } });
  assert.deepEqual(await cleo.in("/presence").call("set_status", { status: "busy" }), {});
  const { data, meta } = await hers.next("status_changed");
  assert.deepEqual(data, { user_id: cleo.id, status: "busy" });
  assert.equal(meta?.seq, undefined);
  cleo.device.close();
  const { data: left } = await hers.next("USER_OFFLINE");
  hasFields(left, ["user_id", "at"]);
  assert.equal(left.user_id, cleo.id);

  const his = ben.in("/notifications");
  const kinds = ["booking_approved", "booking_rejected", "booking_rejected", "call_ended",
    "call_initiated", "welcome"];
  let page;
  do page = await his.call("list", {});
  while (page.notifications.length < kinds.length);
  assert.deepEqual(page.notifications.map(({ kind }) => kind).sort(), kinds);
  hasFields(page, ["notifications", "unread", "next", "seq"]);
  assert.equal(page.unread, kinds.length);
  for (const one of page.notifications) is("Notification", one, { read_at: null });
  while (his.received.length || his.heads[own(ben)] < page.seq) {
    const { notification } = await his.receives("NOTIFICATION_DISPATCHED", own(ben));
    assert.ok(page.notifications.some(({ id }) => id === notification.id));
  }
  const ids = [page.notifications[0].id];
  assert.deepEqual(await his.call("mark_read", { ids }), { unread: page.unread - 1 });
  assert.deepEqual(await his.receives("NOTIFICATION_READ", own(ben)),
    { ids, unread: page.unread - 1 });
}

async function benLogsOut({ ben }) {
  const auth = (await new Device(url, ["polling"]).enter("/auth")).in("/auth");
  const { refresh_token } = ben.session;
  assert.deepEqual(await auth.call("logout", { refresh_token }), {});
  const began = Date.now();
  for (const name of ["/booking", "/chat"]) {
    const { data } = await ben.in(name).next("session_ended");
    assert.equal(data.reason, "logout");
    await ben.in(name).next("disconnect");
  }
  assert.ok(Date.now() - began < 1_000, "within a second");
  await assert.rejects(ben.in("/chat").enter(), { data: { code: "SESSION_REVOKED" } });
}

await visitorsGetSpecificErrors();
const [ada, ben, cleo] = await Promise.all([
  signUp("ada", ["websocket"]), signUp("ben", ["polling", "websocket"]),
  signUp("cleo", ["polling"]),
]);
const all = { ada, ben, cleo };
await sessionsAreRefreshedAndRevoked(ada);
await everyoneConnects(ada, ben, cleo);
const topics = await adaBecomesAConsultant(ada, ben);
const blocks = await adaSetsHerSchedule(ada, ben);
const booking = await benBooksAndAdaApproves(all, blocks, topics);
const far = await cleoUsesTheWaitingList(all, blocks, topics);
const chat = await adaAndBenChat(all);
await aCardShowsTheBooking(all, chat, blocks[5], topics.topic_id);
await benReconnectsWithSince(all, chat);
await cleoReconnectsByPolling(all);
const call = await benWaitsAndIsAdmitted(all, booking, far);
for (const event of ["BOOKING_APPROVED", "BOOKING_CREATED"]) {
  for (const person of [ada, cleo]) await person.in("/booking").receives(event, own(person));
}
await adaAndBenHaveACall(all, call);
await presenceAndNotifications(all);
await benLogsOut(all);
ada.device.close();
ben.device.close();
console.log("the journey is over");
process.exit(0);
