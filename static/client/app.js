/** The web page: its frame, the current page, and what happens when the user changes. */

import { html, render } from "htm/preact";
import { effect } from "@preact/signals";
import { Page } from "./parts/page.js";
import { Shell } from "./parts/shell.js";
import { path, visit } from "./router.js";
import { me } from "./state.js";
import { loadSystems, pageNamed, systems } from "./systems.js";

const Lost = () => html`
  <${Page} title="Not found"><p>This page does not exist. <a href="#/">Start page</a></p><//>`;

function shown() {
  const [name = "", id = "", more = ""] = path.value;
  const page = pageNamed(name);
  if (!page) return html`<${Lost} />`;
  const { Shown, props } = me.value || page.visitors ? page : pageNamed("login") ?? page;
  return html`<${Shown} ...${props?.(id, more)} />`;
}

/** The frame and the current page. The key changes with the user and the visit, so that no state of
 * the last page stays. */
const App = () => html`
  <${Shell}>
    <main id="main" key=${`${me.value?.id} ${visit.value}`}>${shown()}</main>
  <//>`;

effect(() => void (document.documentElement.dataset.theme = me.value?.settings.theme ?? "system"));

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
await loadSystems().catch((error) => {
  root.textContent = `Parley cannot start: ${error.message}`;
  throw error;
});

/** @type {string | undefined} */
let served;
effect(() => {
  const id = me.value?.id;
  if (id === served) return;
  served = id;
  // Run outside the effect, so that the signals that `start` reads do not run the effect again.
  queueMicrotask(() => {
    for (const { start } of systems()) start?.();
  });
});

root.replaceChildren();
render(html`<${App} />`, root);
