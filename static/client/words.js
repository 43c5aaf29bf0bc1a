/** The text for each refusal code: the page's own, or the message that the server sent. */

import { own } from "./parley/own.js";

/** @type {Record<string, string>} */
const WORDS = {
  ALREADY_CONSULTANT: "You are already a consultant.",
  ALREADY_HOLDS: "You already have a place in this block.",
  BLOCKED: "One of you has blocked the other.",
  BLOCK_FULL: "This block is full. You can join its waiting list.",
  BLOCK_NOT_FULL: "This block still has a free place. You can book it.",
  BLOCK_PAST: "This block has ended.",
  CALL_OVER: "This call has ended.",
  CHECKSUM_WRONG: "The file was damaged during the upload. Please try again.",
  CLOSED: "This page has closed its connection. Reload the page.",
  CONFLICT: "This was changed in the meantime. Check it and try again.",
  CONTENT_WRONG: "The content of this file does not match its type.",
  CREDENTIALS_WRONG: "The email address or password is incorrect.",
  EMAIL_NEEDED: "Your provider did not confirm an email address. Confirm one with a pincode.",
  EMAIL_TAKEN: "An account with this email address already exists. Log in instead.",
  EXPORT_UNDER_WAY: "Your export is already being prepared.",
  FORBIDDEN: "You are not allowed to do this.",
  IDENTITY_TAKEN: "Another user already signs in with this account.",
  INSECURE: "Files can only be sent over HTTPS.",
  INTERNAL: "Something went wrong on our side. Please try again.",
  INVALID: "A value in this form is not valid.",
  IN_CALL: "You are already in a call. End it first.",
  LAST_METHOD: "This is your only sign-in method. Add another one first.",
  LAST_OWNER: "A group needs an owner. Make another member an owner first.",
  NOT_AVAILABLE: "The consultant is not available right now.",
  NOT_A_CONSULTANT: "Only consultants can do this.",
  NOT_FOUND: "This does not exist, or you do not have access to it.",
  NOT_UPLOADED: "The upload is not complete. Please try again.",
  NO_ANSWER: "The server did not answer. Check your connection and try again.",
  NO_RECORDING: "The microphone is not available.",
  OAUTH_CANCELLED: "The sign-in was cancelled.",
  OAUTH_FAILED: "Your provider's response was not valid. Please try again.",
  OAUTH_STATE: "The sign-in took too long or began in another browser. Please try again.",
  OAUTH_UNAVAILABLE: "Your provider is not responding. Please try again later.",
  OVERLAPS: "You already have a booking at this time.",
  OWN_BLOCK: "You cannot book yourself.",
  OWN_MESSAGE: "This is your own message.",
  PASSWORD_WEAK: "This password is too short, too common, or too similar to your name or address.",
  PINCODE_EXPIRED: "This pincode has expired. Request a new one.",
  PINCODE_LOCKED: "Too many incorrect attempts. Request a new pincode.",
  PINCODE_WRONG: "This pincode is incorrect.",
  PROOF_NEEDED: "Confirm your identity first.",
  QUEUE_FULL: "Too many requests are waiting to be sent. Try again in a moment.",
  QUOTA_EXCEEDED: "You have used all of your file storage.",
  RECEIPTS_OFF: "Your read receipts are off, so you cannot see other users' receipts.",
  SESSION_REVOKED: "Your session has ended. Log in again.",
  SIGNED_OUT: "Log in to do this.",
  SIZE_WRONG: "The file was damaged during the upload. Please try again.",
  TEXT_REFUSED: "This text contains words that are not allowed here.",
  TICKET_INVALID: "This sign-in has expired or was already used. Please try again.",
  TOO_EARLY: "The waiting room opens 15 minutes before the block.",
  TOO_LARGE: "This file is too large.",
  TOO_LATE: "This message is too old to edit or delete.",
  TOO_MANY: "You have reached the limit.",
  TOO_MANY_METHODS: "You have reached the maximum number of sign-in methods.",
  TOPIC_NOT_OFFERED: "This topic is no longer offered.",
  TYPE_NOT_ALLOWED: "Files of this type are not allowed.",
  UNAVAILABLE: "The server is busy. Please try again.",
  WRONG_STATE: "This is no longer possible.",
};

/** The field with the error, and what it requires. @param {unknown} details */
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
    return `Too many attempts. Try again in ${span(retry_after_s ?? 1)}.`;
  }
  if (code === "INVALID") return WORDS.INVALID + place(details);
  // The message of the library's own errors is only their code.
  const declared = typeof code === "string" && code && message !== code && message;
  return own(WORDS, code) ?? (declared || "Something went wrong. Please try again.");
}
