/** Plain words for every refusal: the page's own, or those that its domain declares. */

import { own } from "./parley/own.js";

/** @type {Record<string, string>} */
const WORDS = {
  ALREADY_CONSULTANT: "You are a consultant already.",
  ALREADY_HOLDS: "You hold a place in this block already.",
  BLOCKED: "One of you has blocked the other.",
  BLOCK_FULL: "This block is full. You can join its waiting list.",
  BLOCK_NOT_FULL: "This block has a free place. You can book it.",
  BLOCK_PAST: "This block is over.",
  CALL_OVER: "This call is over.",
  CHECKSUM_WRONG: "The file was damaged on its way. Please try again.",
  CLOSED: "This page has let go of its connection. Load it again.",
  CONFLICT: "This was changed meanwhile. Look at it again, then decide.",
  CONTENT_WRONG: "This file is not what it says it is.",
  CREDENTIALS_WRONG: "The address or the password is wrong.",
  EMAIL_NEEDED: "Your provider vouches for no address. Prove one by a pincode.",
  EMAIL_TAKEN: "There is an account with this address. Log in instead.",
  EXPORT_UNDER_WAY: "Your data is being gathered already.",
  FORBIDDEN: "You are not allowed to do this.",
  IDENTITY_TAKEN: "Somebody else signs in with this account.",
  INSECURE: "Files can be sent by https alone.",
  INTERNAL: "Something went wrong on our side. Please try again.",
  INVALID: "Something in the form is not right.",
  IN_CALL: "You are in a call already. End it first.",
  LAST_METHOD: "This is your only way to sign in. Add another first.",
  LAST_OWNER: "A group keeps an owner. Make somebody else one first.",
  NOT_AVAILABLE: "The consultant is not available right now.",
  NOT_A_CONSULTANT: "Only consultants can do this.",
  NOT_FOUND: "This does not exist, or it is not yours.",
  NOT_UPLOADED: "The file has not come whole. Please try again.",
  NO_ANSWER: "The server did not answer. Check your connection and try again.",
  NO_RECORDING: "The microphone cannot be used.",
  OAUTH_CANCELLED: "You did not sign in there.",
  OAUTH_FAILED: "Your provider's answer could not be trusted. Please try again.",
  OAUTH_STATE: "This took too long, or began in another browser. Please try again.",
  OAUTH_UNAVAILABLE: "Your provider does not answer right now. Please try again later.",
  OVERLAPS: "You have another booking at this time.",
  OWN_BLOCK: "You cannot book yourself.",
  OWN_MESSAGE: "This is your own message.",
  PASSWORD_WEAK: "This password is too short, too common or too close to your name or address.",
  PINCODE_EXPIRED: "This pincode is too old. Ask for a new one.",
  PINCODE_LOCKED: "Too many wrong tries. Ask for a new pincode.",
  PINCODE_WRONG: "This pincode is wrong.",
  PROOF_NEEDED: "Prove that it is you first.",
  QUEUE_FULL: "Too much is waiting to be sent. Try again in a moment.",
  QUOTA_EXCEEDED: "There is no room left for your files.",
  RECEIPTS_OFF: "You do not tell others what you read, so you are not told either.",
  SESSION_REVOKED: "Your session has ended. Log in again.",
  SIGNED_OUT: "Log in to do this.",
  SIZE_WRONG: "The file was damaged on its way. Please try again.",
  TEXT_REFUSED: "This may not be said here.",
  TICKET_INVALID: "This took too long, or was done before. Please try again.",
  TOO_EARLY: "The waiting room opens 15 minutes before the block.",
  TOO_LARGE: "This file is too large.",
  TOO_LATE: "It was said too long ago for that.",
  TOO_MANY: "This is as much as is allowed at once.",
  TOO_MANY_METHODS: "You have as many ways to sign in as there can be.",
  TOPIC_NOT_OFFERED: "This topic is no longer offered.",
  TYPE_NOT_ALLOWED: "Files of this type cannot be sent.",
  UNAVAILABLE: "The server is busy. Please try again.",
  WRONG_STATE: "This is no longer possible.",
};

/** Which field, and what belongs there. @param {unknown} details */
function place(details) {
  const first = Array.isArray(details) ? details[0] : details;
  if (typeof first === "string") return ` (${first})`;
  if (!first || typeof first !== "object" || !("path" in first)) return "";
  const field = `${first.path}`.replace(/^\$\.?/, "").replaceAll("_", " ");
  const expected = "expected" in first ? `${first.expected}`.replace(/^Expected /, "") : "";
  const said = [field, expected].filter(Boolean).join(": ");
  return said && ` (${said})`;
}

/** @param {number} seconds */
function span(seconds) {
  if (seconds > 7_200) return `${Math.ceil(seconds / 3_600)} hours`;
  if (seconds > 120) return `${Math.ceil(seconds / 60)} minutes`;
  return `${Math.max(1, Math.ceil(seconds))} seconds`;
}

/** @param {any} error */
export function words(error) {
  const { code, details, retry_after_s, message } = error ?? {};
  if (code === "RATE_LIMITED") {
    return `Too many tries. Try again in ${span(retry_after_s ?? 1)}.`;
  }
  if (code === "INVALID") return WORDS.INVALID + place(details);
  // The library's own errors have no other message than their code.
  const declared = typeof code === "string" && code && message !== code && message;
  return own(WORDS, code) ?? (declared || "Something went wrong. Please try again.");
}
