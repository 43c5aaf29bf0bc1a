/** Calls: users who leave are out of the call, and the page shows the server's state. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { sessionNumber } from "./fake_server.mjs";
import { openPage, settled, signIn } from "./page.mjs";

const ROOM = "user:ada";
const CALL = {
  id: "call", booking_id: "b", student_id: "ben", consultant_id: "ada", status: "active",
  provider: "browser", ice_servers: [], started_at: null, ended_at: null, talked_s: 0,
};
let server;
let parley;
let close;
let CallState;
let calls;
let tracks;
let state;
/** The answers by command. */
let answers;

const ok = (data) => () => ({ ok: true, data });
const refused = (code) => () => ({ ok: false, error: { code, message: code } });

class NoPeer {
  connectionState = "new";
  getSenders = () => [];
  getTransceivers = () => [];
  addTrack() {}
  addTransceiver() {}
  close() {}
}

/** A camera that records whether it runs. */
function openCamera() {
  const track = { running: true, stop: () => (track.running = false) };
  tracks.push(track);
  return { getTracks: () => [track] };
}

before(async () => {
  globalThis.RTCPeerConnection = NoPeer;
  globalThis.MediaStream = class {};
  const mediaDevices = { getUserMedia: async () => openCamera() };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  ({ server, parley, close } = await openPage());
  ({ CallState } = await import("../../static/client/consulting/call_state.js"));
  calls = await import("../../static/client/consulting/calls.js");
  await signIn(server, parley, sessionNumber(1));
});
after(() => close());

beforeEach(async () => {
  tracks = [];
  answers = {
    join: ok(CALL), leave: ok(CALL), signal: ok({}),
    current: ok({ call: CALL, interrupted: false, seq: 0 }),
  };
  server.answer = (asked) => answers[asked.command](asked);
  state = new CallState("call");
  await parley.call("/call", "signal", {});
  server.asked = [];
});
afterEach(() => state.leavePage());

const asked = () => server.asked.map(({ command }) => command)
  .filter((command) => command === "join" || command === "leave");

/** Resolves when the signal has a wanted value. */
const shows = (signal, wanted) => new Promise((resolve) => {
  let stop = () => {};
  stop = signal.subscribe((value) => wanted(value) && queueMicrotask(() => resolve(stop())));
});
const line = (wanted) => shows(state.line, (value) => value === wanted);

let seq = 0;
const emit = (event, call) =>
  server.emit("/call", event, { call }, { room: ROOM, seq: ++seq, id: `e${seq}`, at: "" });

/** Delays the next answers of a command until the returned function is called. */
function later(command) {
  let give;
  const given = new Promise((resolve) => (give = resolve));
  const usual = answers[command];
  answers[command] = async () => (await given, usual());
  return give;
}

test("leaving the page while joining leaves the call after the join", async () => {
  const give = later("join");
  state.enter();
  await server.until(() => asked().length === 1);
  state.leavePage();
  give();
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["join", "leave"]);
  assert.ok(tracks.every(({ running }) => !running));
});

test("a user who rejoins at once stays in despite the earlier leave", async () => {
  const give = later("join");
  state.enter();
  await server.until(() => asked().length === 1);
  state.leavePage();
  state = new CallState("call");
  state.enter();
  give();
  await line("talking");
  assert.deepEqual(asked(), ["join", "leave", "join"]);
});

test("after a failed leave, closing the page leaves the call", async () => {
  state.enter();
  await line("talking");
  answers.leave = refused("INTERNAL");
  await assert.rejects(state.leave(), { code: "INTERNAL" });
  answers.leave = ok(CALL);
  state.leavePage();
  await server.until(() => asked().length === 3);
  assert.deepEqual(asked(), ["join", "leave", "leave"]);
});

test("joining a call that is over turns the camera off", async () => {
  answers.join = refused("CALL_OVER");
  state.enter();
  await shows(state.error, (error) => error?.code === "CALL_OVER");
  await settled();
  assert.equal(state.local.value, null);
  assert.ok(tracks.every(({ running }) => !running));
});

test("joining an interrupted call shows the interruption and the talked time", async () => {
  const call = { ...CALL, talked_s: 40 };
  answers.current = ok({ call, interrupted: true, seq: 0 });
  state.enter();
  await line("interrupted");
  assert.equal(state.base_s.value, 40);
  assert.equal(state.since.value, null);
});

test("joining an active call shows the talked time", async () => {
  answers.current = ok({ call: { ...CALL, talked_s: 90 }, interrupted: false, seq: 0 });
  state.enter();
  await line("talking");
  assert.equal(state.base_s.value, 90);
});

test("CALL_RESUMED restarts the clock even if CALL_INTERRUPTED was missed", async () => {
  state.enter();
  await line("talking");
  emit("CALL_RESUMED", { ...CALL, talked_s: 30 });
  await shows(state.base_s, (base_s) => base_s === 30);
  assert.equal(state.line.value, "talking");
});

test("an answer older than an interruption does not undo it", async () => {
  const give = later("current");
  state.enter();
  await server.until(() => server.commands("current").length);
  emit("CALL_INTERRUPTED", { ...CALL, talked_s: 5 });
  await line("interrupted");
  give();
  await settled();
  await parley.call("/call", "signal", {});
  assert.equal(state.line.value, "interrupted");
});

test("the current call is loaded at startup, and again after missed events", async () => {
  calls.startCalls();
  await shows(calls.current, (call) => call?.id === "call");
  answers.current = ok({ call: null, interrupted: false, seq: seq + 5 });
  seq += 4;
  emit("CALL_DURATION_RECORDED", { ...CALL, id: "another", status: "ended" });
  await shows(calls.current, (call) => call === null);
});
