/** Sending files and voice recordings, with a progress bar until the message appears. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { glanceAt } from "../glance.js";
import { newId } from "../../parley.js";
import { ParleyError } from "../../parley/error.js";
import { parley } from "../../state.js";
import { words } from "../../words.js";
import { length } from "./media.js";

/**
 * @typedef {{client_id: string, name: string, file: Blob, duration_ms: number | null,
 *   share: number, refusal: any, upload_id: string | null}} Sending
 */

const RECORDED_AS = ["audio/webm", "audio/mp4", "audio/ogg"];
const RECORDING_MAX_MS = 10 * 60_000;

/** @param {{conversation_id: string}} props */
export function Attachments({ conversation_id }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const sending = useSignal(/** @type {Sending[]} */ ([]));
  const change = (/** @type {string} */ client_id, /** @type {Partial<Sending>} */ to) => {
    sending.value = sending.value.map((one) =>
      (one.client_id === client_id ? { ...one, ...to } : one));
  };
  const drop = (/** @type {string} */ client_id) => {
    sending.value = sending.value.filter((one) => one.client_id !== client_id);
  };
  /** Sends a file. A retry uses the same `client_id` and upload, so it cannot appear twice. */
  const bring = async (/** @type {Sending} */ one) => {
    const { client_id, name, file } = one;
    let { upload_id, duration_ms } = one;
    change(client_id, { refusal: null });
    try {
      if (!upload_id) {
        const onProgress = (/** @type {number} */ share) => change(client_id, { share });
        const { poster, ...seen } = await glanceAt(file);
        duration_ms ??= seen.duration_ms;
        upload_id = (await parley.upload(file, { name, poster, onProgress })).id;
        change(client_id, { upload_id, duration_ms });
      }
      const shown = { conversation_id, client_id, upload_id, duration_ms };
      await parley.call("/chat", "send_media", shown);
      drop(client_id);
    } catch (refusal) {
      change(client_id, { refusal });
    }
  };
  const send = (/** @type {Blob} */ file, /** @type {string} */ name, duration_ms = null) => {
    const fresh = { client_id: newId(), name, file, duration_ms, share: 0 };
    const one = { ...fresh, refusal: null, upload_id: null };
    sending.value = [...sending.value, one];
    void bring(one);
  };
  const picked = (/** @type {any} */ event) => {
    for (const file of event.currentTarget.files) send(file, file.name);
    event.currentTarget.value = "";
  };
  return html`
    <div class="actions">
      <input type="file" class="hidden" multiple ref=${input} onChange=${picked}
        aria-label="Files" tabindex="-1" />
      <button type="button" class="plain" onClick=${() => input.current?.click()}>
        Attach a file</button>
      <${Recorder} send=${send} />
    </div>
    <ul class="list">
      ${sending.value.map((one) => html`
        <li key=${one.client_id} data-test="sending">${one.name}${" "}
          ${one.refusal
            ? html`<span role="alert">Not sent. ${words(one.refusal)}</span>
              <button type="button" class="plain" onClick=${() => bring(one)}>Send again</button>
              <button type="button" class="plain" onClick=${() => drop(one.client_id)}>
                Discard</button>`
            : html`<progress max="1" value=${one.share} aria-label=${`Sending ${one.name}`} />`}
        </li>`)}
    </ul>`;
}

/** @param {{send: (file: Blob, name: string, duration_ms: any) => void}} props */
function Recorder({ send }) {
  const recorder = useRef(/** @type {MediaRecorder | null} */ (null));
  const since = useSignal(0);
  const now = useSignal(0);
  const error = useSignal(/** @type {any} */ (null));
  const finish = (/** @type {boolean} */ keep) => {
    if (!recorder.current) return;
    recorder.current.onstop = keep ? recorder.current.onstop : null;
    recorder.current.stop();
    for (const track of recorder.current.stream.getTracks()) track.stop();
    recorder.current = null;
    since.value = 0;
  };
  const gone = useRef(false);
  useEffect(() => () => {
    gone.current = true;
    finish(false);
  }, []);
  useEffect(() => {
    if (!since.value) return undefined;
    const ticking = setInterval(() => {
      now.value = Date.now();
      if (now.value - since.value >= RECORDING_MAX_MS) finish(true);
    }, 250);
    return () => clearInterval(ticking);
  }, [since.value]);
  const start = async () => {
    error.value = null;
    try {
      recorder.current = await record(send);
      if (gone.current) return finish(false); // the user left before granting the microphone
      since.value = now.value = Date.now();
    } catch {
      error.value = new ParleyError("NO_RECORDING");
    }
  };
  if (!globalThis.MediaRecorder) return null;
  if (!since.value) {
    return html`<button type="button" class="plain" onClick=${start}>Record a voice message</button>
      ${error.value && html`<span role="alert">${words(error.value)}</span>`}`;
  }
  return html`
    <span role="status" data-test="recording">Recording ${length(now.value - since.value)}</span>
    <button type="button" class="primary" onClick=${() => finish(true)}>Send recording</button>
    <button type="button" class="plain" onClick=${() => finish(false)}>Discard</button>`;
}

/**
 * Records from the microphone until the recorder is stopped.
 * @param {(file: Blob, name: string, duration_ms: any) => void} send
 */
async function record(send) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const mimeType = RECORDED_AS.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, { mimeType });
  const began = Date.now();
  /** @type {Blob[]} */
  const pieces = [];
  recorder.ondataavailable = ({ data }) => void pieces.push(data);
  recorder.onstop = () => {
    const type = recorder.mimeType.split(";")[0];
    const name = `voice.${type.split("/")[1]}`;
    send(new Blob(pieces, { type }), name, Date.now() - began);
  };
  recorder.start();
  return recorder;
}
