/** Money, weeks and refusals are formatted for users. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { money, price, typed } from "../../static/client/money.js";
import { CHANGING, lists } from "../../static/client/parley/commands.js";
import { own } from "../../static/client/parley/own.js";
import { roomOf } from "../../static/client/parley/watches.js";
import { comingWeeks, minutes } from "../../static/client/when.js";
import { words } from "../../static/client/words.js";

test("money is entered in major units and sent in minor units", () => {
  assert.deepEqual(money("60.50", "EUR"), { amount: 6050, currency: "EUR" });
  assert.deepEqual(money("0.29", "EUR"), { amount: 29, currency: "EUR" });
  assert.deepEqual(money("500", "JPY"), { amount: 500, currency: "JPY" });
  assert.deepEqual(money("1.5", "KWD"), { amount: 1500, currency: "KWD" });
  assert.equal(typed({ amount: 6050, currency: "EUR" }), "60.5");
  assert.match(price({ amount: 6050, currency: "EUR" }), /60.50/);
});

test("weeks are ISO weeks, also at the turn of the year", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: new Date(2026, 11, 24, 12) });
  const weeks = comingWeeks(4).map(({ week }) => week);
  assert.deepEqual(weeks, ["2026-W52", "2026-W53", "2027-W01", "2027-W02"]);
});

test("no week is listed twice when the clocks change", (t) => {
  const zone = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  t.after(() => (zone === undefined ? delete process.env.TZ : (process.env.TZ = zone)));
  t.mock.timers.enable({ apis: ["Date"], now: new Date(2026, 9, 19, 0, 30) });
  assert.deepEqual(comingWeeks(3).map(({ week }) => week), ["2026-W43", "2026-W44", "2026-W45"]);
});

test("talked time is formatted in minutes and seconds", () => {
  assert.equal(minutes(0), "0 minutes 0 seconds");
  assert.equal(minutes(61), "1 minute 1 second");
  assert.equal(minutes(754.9), "12 minutes 34 seconds");
});

const INHERITED = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];

test("inherited properties of objects are not found in lookup tables", () => {
  for (const name of INHERITED) {
    assert.equal(own({ here: 1 }, name), undefined);
    assert.equal(lists(CHANGING, name, "call"), false);
    assert.equal(roomOf(name, {}), null);
  }
  assert.equal(own({ here: 1 }, "here"), 1);
});

test("a code with the name of an inherited property is unknown", () => {
  for (const code of INHERITED) assert.match(words({ code }), /went wrong/);
});

test("known and unknown refusals have a text", () => {
  assert.match(words({ code: "BLOCK_FULL" }), /full/);
  assert.match(words({ code: "RATE_LIMITED", retry_after_s: 2.2 }), /3 seconds/);
  const details = [{ path: "$.age", expected: "int" }];
  assert.match(words({ code: "INVALID", details }), /\(age: int\)$/);
  const name = { path: "$.first_name", expected: "Expected one line of visible text" };
  assert.match(words({ code: "INVALID", details: name }),
    /\(first name: one line of visible text\)$/);
  assert.match(words({ code: "INVALID", details: { path: "$" } }), /not valid\.$/);
  assert.match(words(new TypeError("x")), /went wrong/);
});
