/** Where the viewer is, by the hash of the address. */

import { signal } from "@preact/signals";

const read = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

/** The parts of the path: `#/chats/7` is `["chats", "7"]`. */
export const path = signal(read());

addEventListener("hashchange", () => (path.value = read()));

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
