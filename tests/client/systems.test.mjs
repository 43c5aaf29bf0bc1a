/** What systems and domains bring to the page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNames } from "../../static/client/systems.js";

const bell = { Shown: null };

test("two pages of one name are refused, and so are two cards", () => {
  const parts = [{ pages: { chats: bell } }, { pages: { bells: bell, chats: bell } }];
  assert.throws(() => checkNames(["shop", "platform"], parts), {
    message: 'shop and platform both have "chats" in their pages',
  });
  const cards = parts.map(() => ({ pages: {}, cards: { bell } }));
  assert.throws(() => checkNames(["shop", "shop/bells"], cards), {
    message: 'shop and shop/bells both have "bell" in their cards',
  });
});

test("a page and a card may have one name", () => {
  const shop = { pages: { constructor: bell } };
  const parts = [shop, { pages: { bells: bell }, cards: { bells: bell } }];
  checkNames(["shop", "platform"], parts);
});

test("one system's home page takes the place of the platform's", () => {
  const homes = [{ pages: { "": bell } }, { pages: { "": bell } }];
  checkNames(["shop", "platform"], homes);
  assert.throws(() => checkNames(["shop", "school"], homes), /shop and school both have ""/);
});
