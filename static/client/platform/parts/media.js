/** A file in a message: a picture, a player or a download, which works as long as it is shown. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { messageLinks } from "../links.js";
import { playbackOf, resume } from "../playback.js";
import { parley } from "../../state.js";
import { Pending } from "../../parts/page.js";

/** @import { Media as Shown } from "../../contracts.js" */
/** @import { Links, State } from "../links.js" */
/** @import { Playback } from "../playback.js" */
/** @typedef {{url: string, renew: () => Promise<void>}} Source */

/** How often in a row an element that fails gets a new address; its file may be broken. */
const TRIES = 3;

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

/** The latest address of a file. @param {Links} links @param {string} id */
export function useLinks(links, id) {
  const shown = useSignal(/** @type {State} */ ({ links: null, error: null }));
  useEffect(() => links.follow(id, (state) => (shown.value = state)), [links, id]);
  return shown.value;
}

/** A click handler that gets a new address first if that of its link has expired meanwhile.
 * @param {Links} links @param {string} id */
export const openValid = (links, id) => async (/** @type {any} */ event) => {
  if (links.isValid(id)) return;
  event.preventDefault();
  const link = event.currentTarget;
  await links.renew(id);
  if (links.isValid(id)) setTimeout(() => link.click()); // once it shows the new address
};

/**
 * The address that an element loads. It stays the same once the element has loaded, because a new
 * one would load it again; after a failure, it is renewed.
 * @param {Source} source
 */
function useSteady({ url, renew }) {
  const kept = useRef({ src: url, loaded: false, failed: 0 }).current;
  if (!kept.loaded) kept.src = url;
  const isOld = kept.src !== url;
  const onLoaded = () => Object.assign(kept, { loaded: true, failed: 0 });
  const onFailed = () => {
    kept.loaded = false;
    if (kept.failed++ < TRIES) void renew();
  };
  return { src: kept.src, isOld, onLoaded, onFailed };
}

/** @param {{source: Source, media: Shown}} props */
function Picture({ source, media: { name, width, height } }) {
  const { src, onLoaded, onFailed } = useSteady(source);
  return html`<img class="shared" src=${src} alt=${name} width=${width} height=${height}
    loading="lazy" onLoad=${onLoaded} onError=${onFailed} />`;
}

/**
 * A player that continues where it was when it needs a new address: after a failure, or when it has
 * to load more and there is a newer one.
 * @param {{source: Source, media: Shown, poster?: string | null}} props
 */
function Player({ source, media: { kind, name, width, height }, poster }) {
  const { src, isOld, onLoaded, onFailed } = useSteady(source);
  const first = useRef(poster).current;
  const interrupted = useRef(/** @type {Playback | null} */ (null));
  const onError = (/** @type {any} */ { currentTarget }) => {
    interrupted.current ??= playbackOf(currentTarget);
    onFailed();
  };
  const onWaiting = (/** @type {any} */ event) => void (isOld && onError(event));
  const onLoadedMetadata = (/** @type {any} */ { currentTarget }) => {
    onLoaded();
    if (interrupted.current) resume(currentTarget, interrupted.current);
    interrupted.current = null;
  };
  const preload = first && !interrupted.current ? "none" : "metadata";
  const events = { onError, onWaiting, onLoadedMetadata };
  return kind === "audio"
    ? html`<audio controls preload=${preload} src=${src} aria-label=${name} ...${events}></audio>`
    : html`<video class="shared" controls preload=${preload} src=${src} poster=${first}
        width=${width} height=${height} aria-label=${name} ...${events}></video>`;
}

/** @param {{media: Shown, links: Links, id: string, state: State}} props */
function Inside({ media, links, id, state }) {
  const url = parley.address(state.links?.url ?? "");
  const small = state.links?.thumbnail_url && parley.address(state.links.thumbnail_url);
  const renew = () => links.renew(id);
  if (media.kind === "image") {
    return html`
      <a href=${url} target="_blank" rel="noopener" onClick=${openValid(links, id)}>
        <${Picture} source=${{ url: small || url, renew }} media=${media} /></a>`;
  }
  if (media.kind === "audio") {
    return html`
      <${Player} source=${{ url, renew }} media=${media} />
      ${media.duration_ms !== null
        && html`<span class="quiet">${length(media.duration_ms)}</span>`}`;
  }
  if (media.kind === "video") {
    return html`
      <${Player} source=${{ url, renew }} media=${media} poster=${small} />
      <span class="quiet">${media.duration_ms !== null && `${length(media.duration_ms)}, `}
        ${size(media.size)}</span>`;
  }
  return html`<a href=${url} download=${media.name} onClick=${openValid(links, id)}>
      ${media.name}</a>
    <span class="quiet">${size(media.size)}</span>`;
}

/** @param {{id: string, media: Shown, text: string, links?: Links}} props `id` is what `links`
 *   knows the file by: the id of its message */
export function Media({ id, media, text, links = messageLinks }) {
  const state = useLinks(links, id);
  return html`
    <div data-test="media" data-kind=${media.kind}>
      ${state.links
        ? html`<${Inside} media=${media} links=${links} id=${id} state=${state} />`
        : html`<${Pending} error=${state.error} retry=${() => links.renew(id)} />`}
    </div>
    ${text && html`<p class="prose">${text}</p>`}`;
}
