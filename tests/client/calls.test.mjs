/** In a call: who left is not in it, and the line is shown as the server knows it. */

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
/** What is answered, by command. */
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

/** A camera that says whether it runs. */
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

/** Resolves when the signal has such a value. */
const shows = (signal, wanted) => new Promise((resolve) => {
  let stop = () => {};
  stop = signal.subscribe((value) => wanted(value) && queueMicrotask(() => resolve(stop())));
});
const line = (wanted) => shows(state.line, (value) => value === wanted);

let seq = 0;
const emit = (event, call) =>
  server.emit("/call", event, { call }, { room: ROOM, seq: ++seq, id: `e${seq}`, at: "" });

/** An answer that is given later. */
function later(command) {
  let give;
  const given = new Promise((resolve) => (give = resolve));
  const usual = answers[command];
  answers[command] = async () => (await given, usual());
  return give;
}

test("who leaves the page while joining has left once they have joined", async () => {
  const give = later("join");
  state.enter();
  await server.until(() => asked().length === 1);
  state.leavePage();
  give();
  await server.until(() => asked().length === 2);
  assert.deepEqual(asked(), ["join", "leave"]);
  assert.ok(tracks.every(({ running }) => !running));
});

test("who comes again at once is in, and the first leaving does not undo it", async () => {
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

test("whose leaving failed is still there, and leaves with the page", async () => {
  state.enter();
  await line("talking");
  answers.leave = refused("INTERNAL");
  await assert.rejects(state.leave(), { code: "INTERNAL" });
  answers.leave = ok(CALL);
  state.leavePage();
  await server.until(() => asked().length === 3);
  assert.deepEqual(asked(), ["join", "leave", "leave"]);
});

test("a call that is over puts the camera out", async () => {
  answers.join = refused("CALL_OVER");
  state.enter();
  await shows(state.error, (error) => error?.code === "CALL_OVER");
  await settled();
  assert.equal(state.local.value, null);
  assert.ok(tracks.every(({ running }) => !running));
});

test("who comes to an interrupted call sees that, and how long they have talked", async () => {
  const call = { ...CALL, talked_s: 40 };
  answers.current = ok({ call, interrupted: true, seq: 0 });
  state.enter();
  await line("interrupted");
  assert.equal(state.base_s.value, 40);
  assert.equal(state.since.value, null);
});

test("who comes to a call that goes on sees how long they have talked by now", async () => {
  answers.current = ok({ call: { ...CALL, talked_s: 90 }, interrupted: false, seq: 0 });
  state.enter();
  await line("talking");
  assert.equal(state.base_s.value, 90);
});

test("the clock begins anew when a call is resumed whose interruption was not heard", async () => {
  state.enter();
  await line("talking");
  emit("CALL_RESUMED", { ...CALL, talked_s: 30 });
  await shows(state.base_s, (base_s) => base_s === 30);
  assert.equal(state.line.value, "talking");
});

test("an answer from before an interruption does not undo it", async () => {
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

test("the call at hand is known from the start, and gone when a loss hid its end", async () => {
  calls.startCalls();
  await shows(calls.current, (call) => call?.id === "call");
  answers.current = ok({ call: null, interrupted: false, seq: seq + 5 });
  seq += 4;
  emit("CALL_DURATION_RECORDED", { ...CALL, id: "another", status: "ended" });
  await shows(calls.current, (call) => call === null);
});
