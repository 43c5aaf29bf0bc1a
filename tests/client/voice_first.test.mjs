/** A call on a bad connection: video stops, and begins again when the connection is good. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { VoiceFirst } from "../../static/client/consulting/voice_first.js";

/** @param {VoiceFirst} rule @param {string[][]} measurements */
const pausedAfterEach = (rule, measurements) =>
  measurements.map((words) => (rule.measured(words), rule.paused));
const good = (times) => Array(times).fill(["good", "good"]);
const bad = [["good", "bad"], ["bad", "good"]];

test("two bad measurements in a row stop video, whichever side is bad", () => {
  const rule = new VoiceFirst();
  const seen = [["bad"], ["poor", "poor"], ["bad", "good"], ["good", "bad"]];
  assert.deepEqual(pausedAfterEach(rule, seen), [false, false, false, true]);
});

test("video begins again after three good measurements in a row on both sides", () => {
  const rule = new VoiceFirst();
  pausedAfterEach(rule, bad);
  const seen = [...good(2), ["good", "poor"], ...good(3)];
  assert.deepEqual(pausedAfterEach(rule, seen), [true, true, true, true, true, false]);
});

test("each further stop needs twice as many good measurements, at most 24", () => {
  const rule = new VoiceFirst();
  const needed = [];
  for (let stops = 0; stops < 5; stops++) {
    pausedAfterEach(rule, bad);
    needed.push(pausedAfterEach(rule, good(30)).indexOf(false) + 1);
  }
  assert.deepEqual(needed, [3, 6, 12, 24, 24]);
});

test("a user who sends video again is stopped only by two more bad measurements", () => {
  const rule = new VoiceFirst();
  pausedAfterEach(rule, bad);
  rule.choose(false);
  assert.deepEqual(pausedAfterEach(rule, bad), [false, true]);
});
