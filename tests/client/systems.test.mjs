/** Pages and cards of systems and domains. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNames } from "../../static/client/systems.js";

const bell = { Shown: null };

test("two pages or two cards with the same name are refused", () => {
  const parts = [{ pages: { chats: bell } }, { pages: { bells: bell, chats: bell } }];
  assert.throws(() => checkNames(["shop", "platform"], parts), {
    message: 'shop and platform both have "chats" in their pages',
  });
  const cards = parts.map(() => ({ pages: {}, cards: { bell } }));
  assert.throws(() => checkNames(["shop", "shop/bells"], cards), {
    message: 'shop and shop/bells both have "bell" in their cards',
  });
});

test("a page and a card can have the same name", () => {
  const shop = { pages: { constructor: bell } };
  const parts = [shop, { pages: { bells: bell }, cards: { bells: bell } }];
  checkNames(["shop", "platform"], parts);
});

test("one system can replace the home page of the platform", () => {
  const homes = [{ pages: { "": bell } }, { pages: { "": bell } }];
  checkNames(["shop", "platform"], homes);
  assert.throws(() => checkNames(["shop", "school"], homes), /shop and school both have ""/);
});
