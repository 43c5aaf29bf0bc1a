/** What the client knows about the commands besides their types: which change, repeat, watch. */

import { own } from "./own.js";

/**
 * The commands that change something and so carry a `request_id`. `/chat send` has its own
 * `client_id`; `/signup` and `/auth` take none; whispers and watches change nothing.
 * @type {Record<string, readonly string[]>}
 */
export const CHANGING = {
  "/profile": [
    "update", "change_password", "link", "unlink", "set_password", "remove_password",
    "change_email", "confirm_email", "end_session", "end_other_sessions",
    "set_picture",
  ],
  "/consultants": ["become", "update", "stop", "add_topic", "update_topic", "remove_topic"],
  "/availability": [
    "set_default_schedule", "override_week", "clear_override", "set_available_now",
    "join_waiting_list", "leave_waiting_list",
  ],
  "/booking": ["request", "request_now", "approve", "reject", "cancel", "reschedule"],
  "/chat": [
    "open", "create_group", "add_member", "remove_member", "leave", "edit", "delete",
    "mark_read", "mark_delivered", "request_booking", "send_media", "react", "rename",
    "set_picture", "set_role", "pin", "mute", "archive", "draft", "delete_for_me", "block",
  ],
  "/moderation": ["flag", "decide", "undo"],
  "/waiting-room": ["enter", "leave", "admit"],
  "/call": ["join", "leave", "end"],
  "/presence": ["set_status"],
  "/notifications": ["mark_read", "register_device", "unregister_device"],
  "/account": ["export", "delete", "restore"],
};

/**
 * Commands without a `request_id` that must not be sent twice: a second mail, a second session,
 * a spent pincode. A lost answer to one of these is the caller's to judge.
 * @type {Record<string, readonly string[]>}
 */
export const ONLY_ONCE = {
  "/signup": ["start", "complete"],
  "/auth": ["login", "oauth", "forgot", "reset"],
  "/profile": ["send_proof", "prove"],
};

/**
 * What the commands that wait may themselves be waiting for: a full queue must not keep it out.
 * @type {Record<string, readonly string[]>}
 */
export const UNQUEUED = { "/auth": ["refresh"] };

/** Whispers: late ones are worth nothing, so they are never kept for a better connection. */
/** @type {Record<string, readonly string[]>} */
export const WHISPERED = { "/chat": ["typing"] };

/** Namespaces that take no token at all, and those that serve visitors too. */
export const WITHOUT_TOKEN = ["/signup", "/auth"];
export const FOR_VISITORS = ["/consultants", "/availability"];

/**
 * What `watch` joins, by namespace; null where what is watched has no stream. A watch lives as
 * long as its socket, so it is made again after each reconnect.
 * @type {Record<string, ((payload: any) => string) | null>}
 */
export const WATCHED_ROOM = {
  "/consultants": ({ consultant_id }) => `consultant:${consultant_id}`,
  "/availability": ({ consultant_id }) => `consultant:${consultant_id}`,
  "/presence": null,
};

/**
 * @param {Record<string, readonly string[]>} table
 * @param {string} namespace
 * @param {string} command
 */
export const lists = (table, namespace, command) =>
  !!own(table, namespace)?.includes(command);
