/**
 * Uploads files: in one piece, or in parts, which continue after a broken connection. Transient
 * failures are retried for a while; refusals by the server are not.
 */

import { ParleyError } from "./error.js";

/** @typedef {{id: string, status: string, kind: string, [more: string]: any}} Upload */
/**
 * @typedef {object} UploadOptions
 * @property {string} [name] the file's name, if different from `file.name`
 * @property {(share: number) => void} [onProgress] called with a number from 0 to 1
 * @property {Blob | null} [poster] a picture that a video shows before it plays
 * @property {AbortSignal} [signal] aborts the upload
 * @property {number} [tries] attempts per request
 */

const WHOLE_MAX = 16 * 1024 * 1024;
const TRIES = 6;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 8_000;

/** Slashes, and invisible characters that other software adds: the server refuses all of them. */
const UNSEEN = /[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff/\\]/gu;

/** A file name in a form that the server accepts. @param {string} name */
export const plainName = (name) =>
  name.replace(UNSEEN, "").replace(/^[.\s]+/, "").replace(/(?<![.\s])[.\s]+$/, "") || "file";

/** @param {Blob} piece */
async function sha256(piece) {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) throw new ParleyError("INSECURE", "Files can only be uploaded over HTTPS.");
  const digest = new Uint8Array(await subtle.digest("SHA-256", await piece.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {number} ms */
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

export class Uploads {
  #url;
  #token;

  /** @param {string} url @param {() => Promise<string | null>} token */
  constructor(url, token) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * Uploads `file`; resolves to the upload once it is ready.
   * @param {Blob & {name?: string}} file
   * @param {UploadOptions} [options]
   * @returns {Promise<Upload>}
   */
  async bring(file, options = {}) {
    const { name = file.name ?? "file", onProgress = () => {}, signal, tries = TRIES } = options;
    const again = (/** @type {() => Promise<any>} */ work) => persist(work, tries, signal);
    const called = plainName(name);
    const content_type = file.type || "application/octet-stream";
    const about = { name: called, content_type, size: file.size };
    const whole = file.size <= WHOLE_MAX;
    const more = whole ? { sha256: await sha256(file) } : {};
    const begun = await again(() => this.#ask("POST", "/uploads", { ...about, ...more }));
    if (whole) await again(() => this.#bringWhole(begun.id, file, onProgress, signal));
    else await this.#bringParts(begun, file, { again, onProgress, signal });
    const poster = options.poster && await this.bring(options.poster, { name: "poster", signal });
    const said = poster ? { poster_id: poster.id } : {};
    return again(() => this.#ask("POST", `/uploads/${begun.id}/complete`, said));
  }

  /** Uploads a file in one piece. Each attempt gets a new signed URL, because an old one expires.
   * @param {string} id @param {Blob} file @param {(share: number) => void} onProgress
   * @param {AbortSignal} [signal] */
  async #bringWhole(id, file, onProgress, signal) {
    const { put: signed } = await this.#ask("GET", `/uploads/${id}`);
    await put(this.#ours(signed), file, onProgress, signal);
  }

  /**
   * Uploads all parts that the server does not have yet.
   * @param {Upload} begun
   * @param {Blob} file
   * @param {{again: (work: () => Promise<any>) => Promise<any>,
   *   onProgress: (share: number) => void, signal?: AbortSignal}} how
   */
  async #bringParts({ id, part_size }, file, { again, onProgress, signal }) {
    const { parts } = await again(() => this.#ask("GET", `/uploads/${id}`));
    const count = Math.ceil(file.size / part_size);
    let done = parts.length;
    for (let number = 1; number <= count; number++) {
      if (parts.includes(number)) continue;
      const piece = file.slice((number - 1) * part_size, number * part_size);
      const digest = await sha256(piece);
      await again(async () => {
        const path = `/uploads/${id}/parts/${number}`;
        const signed = await this.#ask("POST", path, { sha256: digest });
        await put(this.#ours(signed), piece, (share) => onProgress((done + share) / count), signal);
      });
      done++;
    }
  }

  /** @template {{url: string}} S @param {S} signed @returns {S} */
  #ours(signed) {
    return { ...signed, url: this.address(signed.url) };
  }

  /** The URL of a file. Files in the server's own folder are fetched from this client's server URL.
   * @param {string} url */
  address(url) {
    const { pathname, search, searchParams } = new URL(url, this.#url);
    const here = pathname.startsWith("/files/") && searchParams.has("signature");
    return here ? new URL(pathname + search, this.#url).href : url;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async #ask(method, path, body) {
    const token = await this.#token();
    if (!token) throw new ParleyError("SIGNED_OUT");
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const answer = await fetch(new URL(path, this.#url),
      { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    const { code = "INTERNAL", message, ...more } = said.error ?? {};
    throw new ParleyError(code, message, more);
  }
}

/** Codes of transient failures; `CONFLICT` means that another request is checking the file. */
const PASSING = ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL", "NO_ANSWER", "CONFLICT"];

/**
 * @param {() => Promise<any>} work
 * @param {number} tries
 * @param {AbortSignal} [signal]
 */
async function persist(work, tries, signal) {
  for (let failed = 0; ; ) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const { code, retry_after_s } = /** @type {ParleyError} */ (error);
      const passing = code === undefined || PASSING.includes(code);
      if (signal?.aborted || !passing || ++failed >= tries) throw error;
      await pause(Math.max((retry_after_s ?? 0) * 1_000,
        Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** (failed - 1))));
    }
  }
}

/**
 * Sends a signed request, with `XMLHttpRequest` if possible, because `fetch` reports no progress.
 * @param {{method: string, url: string, headers: Record<string, string>}} signed
 * @param {Blob} piece
 * @param {(share: number) => void} onProgress
 * @param {AbortSignal} [signal]
 */
async function put({ method, url, headers }, piece, onProgress, signal) {
  const status = globalThis.XMLHttpRequest
    ? await putByXhr(method, url, headers, piece, onProgress, signal)
    : (await fetch(url, { method, headers, body: piece, signal })).status;
  if (status >= 500 || status === 429) throw new ParleyError("UNAVAILABLE");
  if (status >= 400) throw new ParleyError("UNAVAILABLE", `the store answers ${status}`);
  onProgress(1);
}

/**
 * @param {string} method
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {Blob} piece
 * @param {(share: number) => void} onProgress
 * @param {AbortSignal} [signal]
 * @returns {Promise<number>}
 */
function putByXhr(method, url, headers, piece, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress(loaded / piece.size);
    request.onload = () => resolve(request.status);
    request.onerror = () => reject(new ParleyError("NO_ANSWER"));
    request.onabort = () => reject(new ParleyError("CLOSED"));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(piece);
  });
}
