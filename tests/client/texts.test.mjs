/** The page processes texts of other users in linear time. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage } from "./page.mjs";

const LENGTH_MAX = 8_000;
const GROWTH_MAX = 7;
const NOISE_US = 1_000;
const COST_MAX_US = 50_000;
const RUNS = 5;

let close;
let readers;

before(async () => {
  ({ close } = await openPage());
  const { around } = await import("../../static/client/platform/parts/search.js");
  const { begunIn, named } = await import("../../static/client/platform/parts/mentions.js");
  const { words } = await import("../../static/client/words.js");
  const { plainName } = await import("../../static/client/parley/uploads.js");
  readers = {
    "a file's name": plainName,
    "the context of a search hit": (text) => around(text, "a ".repeat(100)),
    "a search hit that almost matches": (text) => around(text, `${"a".repeat(199)}b`),
    "an incomplete mention": begunIn,
    "a chosen mention": (text) => named(text, "Ada"),
    "a refusal": (text) => words({ code: "INVALID", details: { path: text, expected: text } }),
  };
});
after(() => close());

const worst = {
  letters: "a", words: "a ", signs: "@", names: " @a", spaces: " ", lines: "\n", marks: "\u0301",
  dollars: "$.", dots: "..a", "letters that expand": "\u0130", pictographs: "\u{1f469}\u200d",
};

/** The minimum CPU time of several runs, in µs. */
function cost(read, text) {
  const runs = Array.from({ length: RUNS }, () => {
    const start = process.cpuUsage();
    read(text);
    const { user, system } = process.cpuUsage(start);
    return user + system;
  });
  return Math.min(...runs);
}

const filled = (unit, size) => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);

test("all functions that read texts take linear time", () => {
  for (const [name, read] of Object.entries(readers)) {
    for (const [kind, unit] of Object.entries(worst)) {
      const quarter = cost(read, filled(unit, LENGTH_MAX / 4));
      const whole = cost(read, filled(unit, LENGTH_MAX));
      const detail = `${name} of ${kind}: ${quarter} µs became ${whole} µs`;
      assert.ok(whole < COST_MAX_US && whole < GROWTH_MAX * quarter + NOISE_US, detail);
    }
  }
});

test("an incomplete mention ends at the cursor and can have spaces", async () => {
  const { begunIn, named } = await import("../../static/client/platform/parts/mentions.js");
  assert.equal(begunIn("Hi @Ada L"), "ada l");
  assert.equal(begunIn("a@example"), null);
  assert.equal(begunIn(`@${"a".repeat(41)}`), null);
  assert.equal(begunIn("@ada\n"), null);
  assert.equal(named("a@b.c @Ada L", "Ada $& Lovelace"), "a@b.c @Ada $& Lovelace ");
  assert.equal(named("no name", "Ada"), "no name");
});

test("file names are reduced to what the server accepts", async () => {
  const { plainName } = await import("../../static/client/parley/uploads.js");
  assert.equal(plainName("\u200eWhatsApp Image.jpeg"), "WhatsApp Image.jpeg");
  assert.equal(plainName(".profile"), "profile");
  assert.equal(plainName("../a\u202egpj.exe. "), "agpj.exe");
  assert.equal(plainName("Résumé (2).tar.gz"), "Résumé (2).tar.gz");
  assert.equal(plainName("..."), "file");
});
