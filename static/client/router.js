/** Where the viewer is, by the hash of the address. */

import { useEffect } from "preact/hooks";
import { batch, signal } from "@preact/signals";
import { me } from "./state.js";

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const read = () => location.hash.replace(/^#\/?/, "").split("?")[0].split("/").map(decoded);

/** What stands behind the `?` of the hash. */
export const query = () => new URLSearchParams(location.hash.split("?")[1] ?? "");

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

/** Who is signed in, already or since just now, has nothing to do where one signs in. */
export function useElsewhere() {
  useEffect(() => void (me.value && goWhereWanted()), []);
}

/** Stay, but let the address (and the browser's history) forget what it said.
 * @param {string} to */
export function pretend(to) {
  history.replaceState(null, "", `#${to}`);
}

/** @param {string} to such as `/chats/7` */
export function go(to) {
  location.hash = to;
}
