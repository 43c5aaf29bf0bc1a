/** The error that the library throws: a refusal by the server, or a missing answer. */

/**
 * The codes are those of the protocol, and four of the client's own: `NO_ANSWER` (the outcome is
 * unknown), `QUEUE_FULL` and `SIGNED_OUT` (not sent), and `CLOSED` (the client was closed before an
 * answer arrived).
 */
export class ParleyError extends Error {
  /**
   * @param {string} code
   * @param {string} [message]
   * @param {{details?: unknown, retry_after_s?: number}} [more]
   */
  constructor(code, message = code, more = {}) {
    super(message);
    this.name = "ParleyError";
    this.code = code;
    this.details = more.details;
    this.retry_after_s = more.retry_after_s;
  }
}
