/** A file in a message. Its URL is valid for minutes, so it is requested when it is needed. */

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { parley } from "../../state.js";
import { useLoaded } from "../../parts/loaded.js";
import { Pending } from "../../parts/page.js";

/** @import { Media as Shown, MediaLinks } from "../../contracts.js" */

/** @param {number} bytes */
function size(bytes) {
  const steps = /** @type {const} */ ([[1 << 20, "MB"], [1 << 10, "KB"]]);
  const [step, unit] = steps.find(([least]) => bytes >= least) ?? [1, "bytes"];
  return `${(bytes / step).toFixed(step === 1 << 20 ? 1 : 0)} ${unit}`;
}

/** @param {number | null} ms */
export function length(ms) {
  const whole = Math.round((ms ?? 0) / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** @param {{media: Shown, links: MediaLinks, again: () => void}} props */
function Inside({ media, links, again }) {
  const { kind, name, width, height, duration_ms } = media;
  const url = parley.address(links.url);
  if (kind === "image") {
    const small = parley.address(links.thumbnail_url ?? links.url);
    return html`
      <a href=${url} target="_blank" rel="noopener">
        <img class="shared" src=${small} alt=${name} width=${width} height=${height}
          loading="lazy" onError=${again} /></a>`;
  }
  if (kind === "audio") {
    return html`
      <audio controls preload="metadata" src=${url} onError=${again} aria-label=${name}></audio>
      ${duration_ms !== null && html`<span class="quiet">${length(duration_ms)}</span>`}`;
  }
  if (kind === "video") {
    const poster = links.thumbnail_url && parley.address(links.thumbnail_url);
    return html`
      <video class="shared" controls preload=${poster ? "none" : "metadata"} src=${url}
        poster=${poster} width=${width} height=${height} onError=${again}
        aria-label=${name}></video>
      <span class="quiet">${duration_ms !== null && `${length(duration_ms)}, `}
        ${size(media.size)}</span>`;
  }
  return html`<a href=${url} download=${name}>${name}</a>
    <span class="quiet">${size(media.size)}</span>`;
}

/** @param {{message_id: string, media: Shown, text: string,
 *   ask?: () => Promise<MediaLinks>}} props */
export function Media({ message_id, media, text, ask }) {
  const { value, error, load } = useLoaded(
    ask ?? (() => parley.call("/chat", "media", { message_id })), [message_id]);
  const tried = useRef(0);
  /** Requests a new URL, because the old one may have expired; but the file may also be broken. */
  const again = () => void (tried.current++ < 3 && load());
  return html`
    <div data-test="media" data-kind=${media.kind}>
      ${value
        ? html`<${Inside} media=${media} links=${value} again=${again} />`
        : html`<${Pending} error=${error} retry=${load} />`}
    </div>
    ${text && html`<p class="prose">${text}</p>`}`;
}
