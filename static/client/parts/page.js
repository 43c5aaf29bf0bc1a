/** The frame of every page: one heading, which gets the focus when the user arrives. */

import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { visit } from "../router.js";
import { words } from "../words.js";

/** @param {{title: string, children?: any, actions?: any, before?: any}} props */
export function Page({ title, children, actions, before }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    // Not on the first page: screen readers start at its top.
    if (visit.peek() > 0) heading.current?.focus();
  }, []);
  useEffect(() => void (document.title = `${title} – Parley`), [title]);
  return html`
    <div class="page">
      <div class="page-head">
        <div class="with-portrait">${before}
          <h1 ref=${heading} tabindex="-1">${title}</h1></div>
        ${actions && html`<div class="actions">${actions}</div>`}
      </div>
      ${children}
    </div>`;
}

/**
 * A placeholder until a query is answered, or its error with a button to retry.
 * @param {{error: any, retry?: () => void}} props
 */
export function Pending({ error, retry }) {
  if (!error) return html`<p class="quiet" role="status">Loading …</p>`;
  return html`<${Refusal} error=${error} />
    ${retry && html`<p><button type="button" onClick=${retry}>Try again</button></p>`}`;
}

/** @param {{error: any}} props */
export const Refusal = ({ error }) =>
  html`<p class="refusal" role="alert" data-test="error" data-code=${error?.code}>
    ${error ? words(error) : ""}</p>`;

/** @param {{children?: any}} props */
export const Empty = ({ children }) => html`<p class="quiet">${children}</p>`;
