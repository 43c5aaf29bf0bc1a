/** The page compares texts as people read them. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage } from "./page.mjs";
import { folded, placeIn } from "../../static/client/folding.js";
import { Devices } from "../../static/client/parley/devices.js";
import { inMemory } from "../../static/client/parley/tokens.js";

let close;
before(async () => ({ close } = await openPage()));
after(() => close());

test("two spellings of a text are equal, and different letters stay different", () => {
  const same = [["café", "CAFE\u0301"], ["straße", "STRASSE"], ["İstanbul", "istanbul"],
    ["ısparta", "ISPARTA"], ["Łódź", "lodz"], ["ὈΔΥΣΣΕΎΣ", "οδυσσευς"], ["ёлка", "ЕЛКА"],
    ["ｶﾞ", "ガ"], ["soft\u00adhyphen", "softhyphen"], ["❤\ufe0f", "❤"]];
  for (const [one, other] of same) assert.equal(folded(one), folded(other));
  for (const [one, other] of [["мой", "мои"], ["か", "が"]]) {
    assert.notEqual(folded(one), folded(other));
  }
});

test("a place in the folded text leads back to the text", () => {
  const text = "ﬁn straße CAFE\u0301 天気";
  for (const word of ["straße", "天気"]) {
    assert.equal(placeIn(text, folded(text).indexOf(folded(word))), text.indexOf(word));
  }
  assert.equal(placeIn(text, folded(text).length), text.length);
});

test("the excerpt of a search hit begins near the word in any spelling", async () => {
  const { around } = await import("../../static/client/platform/parts/search.js");
  const text = `${"x ".repeat(200)}Grüße aus dem CAFE\u0301${" y".repeat(200)}`;
  assert.match(around(text, "café"), /^… .{20,60}CAFE\u0301/);
});

test("a mention begins with a name in any spelling", async () => {
  const { begunIn } = await import("../../static/client/platform/parts/mentions.js");
  assert.equal(begunIn("Hello @JOSE\u0301"), folded("José"));
});

test("a device token is found by every spelling of its address", () => {
  const devices = new Devices(inMemory());
  devices.keep({ user: { email: "sam@xn--bcher-kva.example" }, device_token: "kept" });
  for (const typed of [" SAM@bücher.example", "ｓａｍ＠BÜCHER。example"]) {
    assert.deepEqual(devices.of(typed), { device_token: "kept" });
  }
  assert.deepEqual(devices.of("nobody"), {});
});
