/** The page's client, the signed-in user, and whether the server is connected. */

import { signal } from "@preact/signals";
import { Parley } from "./parley.js";

/** @import { Signal } from "@preact/signals" */
/** @import { User } from "./contracts.js" */

export const parley = new Parley(location.origin);

/** @type {Signal<User | null>} */
export const me = signal(parley.user);
export const connected = signal(true);
/** A message that the shell shows once, such as why the user was signed out.
 * @type {Signal<string>} */
export const said = signal("");

const PATIENCE_MS = 1500;
/** @type {Set<string>} */
const down = new Set();

parley.on("connection", ({ namespace, connected: up }) => {
  if (up) down.delete(namespace);
  else down.add(namespace);
  if (!down.size) connected.value = true;
  else setTimeout(() => (connected.value = !down.size), PATIENCE_MS);
});

parley.on("signed_in", ({ user }) => {
  down.clear();
  connected.value = true;
  said.value = "";
  me.value = user;
});

parley.on("signed_out", ({ reason }) => {
  down.clear();
  connected.value = true;
  said.value = reason === "LOGGED_OUT" ? "You are logged out." : "Your session has ended.";
  me.value = null;
});

parley.on("/profile", "USER_UPDATED", ({ user }) => {
  if (user.id === me.value?.id) me.value = user;
});

/** Fetches the user's profile, because the stored one may be out of date. */
function askWhoIAm() {
  const id = me.value?.id;
  parley.call("/profile", "me", {})
    .then((user) => void (id === me.value?.id && (me.value = user)), () => {});
}

if (me.value) askWhoIAm();
parley.on("unrecovered", ({ namespace }) => {
  if (namespace === "/profile" && me.value) askWhoIAm();
});

/** The id of the signed-in user, for pages that only signed-in users see. */
export const myId = () => /** @type {User} */ (me.value).id;
export const myRoom = () => `user:${myId()}`;
export const isModerator = () => !!me.value?.roles.includes("moderator");
export const isConsultant = () => !!me.value?.roles.includes("consultant");
