/** Sends a command until it is answered, across reconnects and timeouts, if repeating is safe. */

import { ParleyError } from "./error.js";
import { backoff_ms } from "./namespace.js";

/** @import { Socket } from "socket.io-client" */
/** @import { Namespace } from "./namespace.js" */
/**
 * @typedef {object} Answer
 * @property {boolean} ok
 * @property {any} [data]
 * @property {{code: string, message: string, details?: unknown, retry_after_s?: number}} [error]
 */
/**
 * @typedef {object} Ask
 * @property {string} command
 * @property {object} payload
 * @property {boolean} repeatable whether the command can be sent twice without harm
 * @property {number} until_ms
 * @property {() => void} check throws once another user has signed in or the client was closed
 */

const ATTEMPT_MS = 8_000;
const PACKET_MAX = 131_072;
/** More than the bytes of a packet besides the payload. */
const HEAD_MAX = 256;
const SHORT_RATE_LIMIT_S = 2;

/**
 * @param {Socket} socket
 * @param {Ask} ask
 * @returns {Promise<Answer | null>} null if the connection broke or no answer arrived in time
 */
async function send(socket, { command, payload, until_ms }) {
  const wait_ms = Math.max(1, Math.min(ATTEMPT_MS, until_ms - Date.now()));
  try {
    return await socket.timeout(wait_ms).emitWithAck(command, payload);
  } catch {
    return null;
  }
}

/**
 * Throws a refusal if the server would not read a command. It would end the connection, and the
 * command would be sent again and again.
 * @param {Ask} ask
 */
function checkSize({ payload }) {
  const most = PACKET_MAX - HEAD_MAX;
  const bytes = new TextEncoder().encode(JSON.stringify(payload)).length;
  if (bytes <= most) return;
  const details = { path: "$", expected: `at most ${most} bytes` };
  throw new ParleyError("INVALID", "The payload is too large.", { details });
}

/** @param {Answer | null} answer */
function refusal(answer) {
  if (!answer?.error) return new ParleyError("NO_ANSWER", "No answer came in time.");
  const { code, message, details, retry_after_s } = answer.error;
  return new ParleyError(code, message, { details, retry_after_s });
}

/**
 * @param {ParleyError} error
 * @param {boolean} repeatable
 * @param {number} attempt
 * @returns {number | null} how long to wait before the next attempt; null for no other attempt
 */
function pause_ms({ code, retry_after_s }, repeatable, attempt) {
  if (code === "NO_ANSWER") return repeatable ? 0 : null;
  const asked_ms = (retry_after_s ?? 0) * 1000;
  if (code === "UNAVAILABLE") return Math.max(asked_ms, backoff_ms(attempt));
  if (code === "RATE_LIMITED" && retry_after_s && retry_after_s <= SHORT_RATE_LIMIT_S) {
    return asked_ms + Math.random() * 100;
  }
  return null;
}

/**
 * @param {Namespace} namespace
 * @param {Ask} ask
 * @returns {Promise<any>} the answer's data
 */
export async function askUntilAnswered(namespace, ask) {
  checkSize(ask);
  for (let attempt = 0; ; attempt++) {
    const socket = await namespace.whenConnected(ask.until_ms - Date.now());
    ask.check();
    const answer = await send(socket, ask);
    if (answer?.ok) return answer.data;
    const error = refusal(answer);
    const wait_ms = pause_ms(error, ask.repeatable, attempt);
    if (wait_ms === null || Date.now() + wait_ms >= ask.until_ms) throw error;
    await new Promise((go) => setTimeout(go, wait_ms));
    ask.check();
  }
}
