/** The user's notifications, live: the unread count, the list, and the newest one. */

import { signal } from "@preact/signals";
import { Live, withOne } from "../live.js";
import { me, myRoom, parley } from "../state.js";

/** @import { Notification } from "../contracts.js" */
/** @typedef {{notifications: Notification[], unread: number, next: string | null}} Notices */

/** @type {import("@preact/signals").Signal<Live<Notices> | null>} */
export const notices = signal(null);
/** The newest notification, until the user dismisses it. */
export const newest = signal(/** @type {Notification | null} */ (null));

/** The maximum number of ids in a `mark_read`. */
const TOGETHER = 200;

const load = () => parley.call("/notifications", "list", { limit: 50 });

/** @param {Notices} state @param {{notification: Notification}} data */
const withNew = (state, { notification }) => ({
  ...state,
  notifications: withOne(state.notifications, notification).toSorted((a, b) =>
    (a.id < b.id ? 1 : -1)),
  unread: state.unread + 1,
});

/** @param {Notices} state
 * @param {{ids: string[], unread: number, withdrawn?: boolean}} data */
const withRead = (state, { ids, unread, withdrawn = false }) => ({
  ...state, unread,
  notifications: withdrawn ? state.notifications.filter(({ id }) => !ids.includes(id))
    : state.notifications.map((one) => (ids.includes(one.id) && !one.read_at
      ? { ...one, read_at: new Date().toISOString() } : one)),
});

export function startNotices() {
  notices.value?.stop();
  newest.value = null;
  notices.value = me.value && new Live({
    namespace: "/notifications", room: myRoom(), load,
    events: { NOTIFICATION_DISPATCHED: withNew, NOTIFICATION_READ: withRead },
  });
}

parley.on("/notifications", "NOTIFICATION_DISPATCHED", ({ notification }) => {
  // The page shows a current call separately.
  if (notification.kind !== "call_initiated") newest.value = notification;
});
parley.on("/notifications", "NOTIFICATION_READ", ({ ids }) => {
  if (newest.value && ids.includes(newest.value.id)) newest.value = null;
});

/** @param {string[]} ids */
export async function markRead(ids) {
  for (let from = 0; from < ids.length; from += TOGETHER) {
    await parley.call("/notifications", "mark_read", { ids: ids.slice(from, from + TOGETHER) });
  }
}

export async function loadOlder() {
  const state = notices.value?.state;
  if (!state?.value?.next) return;
  const older = await parley.call("/notifications", "list", { before: state.value.next });
  const { notifications } = state.value;
  state.value = { ...state.value, next: older.next,
    notifications: older.notifications.reduce(withOne, notifications) };
}

/** The latest notification about an object. @param {string} field of the data
 * @param {string} id */
export const lastAbout = (field, id) =>
  notices.value?.state.value?.notifications.find(({ data }) => told(data)[field] === id);

/** @param {unknown} data @returns {Record<string, any>} */
export const told = (data) => /** @type {any} */ (data ?? {});

/** The notification's link as a hash of this page. @param {Notification} notification */
export const linkOf = ({ link }) => (link ? `#${link.replace(/^\/?#?/, "")}` : "#/notifications");
