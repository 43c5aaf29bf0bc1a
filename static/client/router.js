/** Where the viewer is, by the hash of the address. */

import { signal } from "@preact/signals";

const read = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

/** The parts of the path: `#/chats/7` is `["chats", "7"]`. */
export const path = signal(read());

addEventListener("hashchange", () => (path.value = read()));

/** @param {string} to such as `/chats/7` */
export function go(to) {
  location.hash = to;
}
