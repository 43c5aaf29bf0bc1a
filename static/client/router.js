/** Where the viewer is, by the hash of the address. */

import { batch, signal } from "@preact/signals";

const read = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

/** The parts of the path: `#/chats/7` is `["chats", "7"]`. */
export const path = signal(read());
/** Rises at each arrival, also where one already is. */
export const visit = signal(0);

const arrive = () => batch(() => {
  path.value = read();
  visit.value++;
});

addEventListener("hashchange", arrive);
// The browser says nothing when a link leads to where one is; people who follow it want news.
addEventListener("click", ({ target }) => {
  const link = target instanceof Element && target.closest("a");
  if (link && link.hash && link.hash === location.hash) arrive();
});

let wanted = "/";

/** Where a visitor has to log in, and comes back from. */
export function goToLogin() {
  wanted = `/${path.value.join("/")}`;
  go("/login");
}

export function goWhereWanted() {
  go(wanted);
  wanted = "/";
}

/** @param {string} to such as `/chats/7` */
export function go(to) {
  location.hash = to;
}
