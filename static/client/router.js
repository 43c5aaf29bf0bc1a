/** The router: the hash of the URL selects the page. */

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

/** The parameters after the `?` of the hash. */
export const query = () => new URLSearchParams(location.hash.split("?")[1] ?? "");

/** The parts of the path: `#/chats/7` is `["chats", "7"]`. */
export const path = signal(read());
/** A counter of visits, including those of a link to the current page. */
export const visit = signal(0);

const arrive = () => batch(() => {
  path.value = read();
  visit.value++;
});

addEventListener("hashchange", arrive);
// The browser fires no event for a link to the current page, but the user expects a fresh page.
addEventListener("click", ({ target }) => {
  const link = target instanceof Element && target.closest("a");
  if (link && link.hash && link.hash === location.hash) arrive();
});

let wanted = "/";

/** Sends a visitor to the login page; after login they return to the current page. */
export function goToLogin() {
  wanted = `/${path.value.join("/")}`;
  go("/login");
}

export function goWhereWanted() {
  go(wanted);
  wanted = "/";
}

/** Sends a signed-in user away from the pages for signing in. */
export function useElsewhere() {
  useEffect(() => void (me.value && goWhereWanted()), []);
}

/** Replaces the URL, also in the browser's history, without changing the page.
 * @param {string} to */
export function pretend(to) {
  history.replaceState(null, "", `#${to}`);
}

/** @param {string} to such as `/chats/7` */
export function go(to) {
  location.hash = to;
}
