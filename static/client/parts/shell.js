/** The frame around every page: navigation, connection status, and the banners of systems. */

import { html } from "htm/preact";
import { path } from "../router.js";
import { connected, said } from "../state.js";
import { systems } from "../systems.js";

/** @import { NavLink } from "../systems.js" */

/** @param {NavLink} props */
function Link({ to, title, also, count = 0 }) {
  const here = path.value[0] === to || path.value[0] === also;
  return html`
    <a href=${`#/${to}`} aria-current=${here ? "page" : undefined}>${title}
      ${count > 0 && html`${" "}<span class="badge" data-test=${`${to}-badge`}
        aria-label=${`${count} unread`}>${count}</span>`}</a>`;
}

function Nav() {
  const links = systems().flatMap((system) => system.links()).sort((a, b) => a.at - b.at);
  return html`
    <nav aria-label="Main">${links.map((link) => html`
      <${Link} key=${link.to} ...${link} />`)}</nav>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

/** @param {{children?: any}} props */
export const Shell = ({ children }) => html`
  <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
  <header class="top">
    <a class="brand" href="#/">Parley</a>
    <${Nav} />
  </header>
  <div role="status">
    ${!connected.value && html`<p class="banner warning" data-test="offline">
      The connection was lost. Reconnecting …</p>`}
    ${said.value && html`<p class="banner">${said.value}
      ${" "}<button type="button" class="plain" aria-label="Dismiss"
        onClick=${() => (said.value = "")}>✕</button></p>`}
  </div>
  ${systems().map(({ Banner }) => Banner && html`<${Banner} />`)}
  ${children}`;
