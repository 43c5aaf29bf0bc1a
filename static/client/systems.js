/** The systems that the server serves, and the part of the page that each provides.
 *
 * Each has a `system.js`, which is loaded at the start and declares its pages, links and cards. A
 * domain can have a `<system>/<domain>/domain.js` that declares its own; the server finds it. The
 * modules of pages and cards are loaded when they are first shown.
 */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { own } from "./parley/own.js";

/**
 * @typedef {{to: string, title: any, at: number, count?: number, also?: string}} NavLink
 *   `at` is its position among the links of all systems; `also` is a second path for which the link
 *   is the current one
 * @typedef {object} PageOf
 * @property {any} Shown
 * @property {(id: string, more: string) => object} [props]
 * @property {boolean} [visitors] whether visitors can see it, who are not signed in
 * @typedef {object} System the part of the page of a system, or of a domain with a `domain.js`
 * @property {Record<string, PageOf>} pages by the first part of the path
 * @property {() => NavLink[]} links
 * @property {() => void} [start] called when another user is signed in, or none any more
 * @property {any} [Banner] shown above every page
 * @property {Record<string, {title: string, Shown: any}>} [cards] in messages, by their kind
 * @property {any} [ChatAction] an action in a direct conversation, given `chat` and `other`
 * @property {any} [ProfileSection]
 */

const HOME = "";

/** @type {System[]} */
let loaded = [];

/** Load the parts of all systems and domains; the platform comes last. */
export async function loadSystems() {
  const meta = document.querySelector('meta[name="parley-systems"]');
  const names = meta?.getAttribute("content")?.split(" ") ?? [];
  const isPlatform = (/** @type {string} */ name) => name.split("/")[0] === "platform";
  const ordered = [...names.filter((name) => !isPlatform(name)), ...names.filter(isPlatform)];
  const parts = await Promise.all(ordered.map(loadPart));
  checkNames(ordered, parts);
  loaded = parts;
}

/** Throw an error if two parts have a page or a card of the same name: one would hide the other.
 *
 * The home page, named "", is the exception: the platform's is for servers whose systems have none.
 *
 * @param {string[]} names of the parts, in their order
 * @param {Pick<System, "pages" | "cards">[]} parts
 */
export function checkNames(names, parts) {
  for (const kind of /** @type {const} */ (["pages", "cards"])) {
    /** @type {Map<string, string>} */
    const owners = new Map();
    for (const [at, part] of parts.entries()) {
      for (const name of Object.keys(part[kind] ?? {})) {
        const owner = owners.get(name);
        if (owner && !(name === HOME && names[at] === "platform")) {
          throw new Error(`${owner} and ${names[at]} both have "${name}" in their ${kind}`);
        }
        owners.set(name, names[at]);
      }
    }
  }
}

/** @param {string} name `platform`, or `platform/greeting` @returns {Promise<System>} */
async function loadPart(name) {
  return name.includes("/")
    ? (await import(`./${name}/domain.js`)).domain
    : (await import(`./${name}/system.js`)).system;
}

export const systems = () => loaded;

/** @param {string} name @returns {PageOf | undefined} */
export function pageNamed(name) {
  for (const { pages } of loaded) {
    const found = own(pages, name);
    if (found) return found;
  }
  return undefined;
}

/** @param {string | undefined} kind */
export function cardOf(kind) {
  for (const { cards } of loaded) {
    const found = cards && kind ? own(cards, kind) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** A component that is loaded when it is first shown. @param {() => Promise<any>} load */
export function later(load) {
  const found = signal(/** @type {{Shown: any} | null} */ (null));
  const failed = signal(false);
  /** @type {Promise<void> | undefined} */
  let loading;
  const ask = () => {
    loading ??= load().then((Shown) => void (found.value = { Shown }), () => {
      failed.value = true;
      loading = undefined;
    });
  };
  const again = () => location.reload();
  return (/** @type {object} */ props) => {
    useEffect(ask, []);
    const known = found.value;
    if (known) return html`<${known.Shown} ...${props} />`;
    return failed.value
      ? html`<p role="alert">This could not be loaded.
        ${" "}<button type="button" onClick=${again}>Try again</button></p>`
      : html`<p class="quiet">Loading …</p>`;
  };
}
