/** Forms: labelled fields, one submission at a time, and readable refusals. */

import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Refusal } from "./page.js";

/**
 * Runs one action at a time and keeps its refusal. Meanwhile its button is `aria-disabled`, because
 * a `disabled` button would lose the keyboard focus.
 * @param {(...args: any[]) => Promise<unknown>} action
 */
export function useAction(action) {
  const busy = useSignal(false);
  const error = useSignal(/** @type {any} */ (null));
  const run = async (/** @type {any[]} */ ...args) => {
    if (busy.value) return;
    busy.value = true;
    error.value = null;
    try {
      await action(...args);
    } catch (refusal) {
      if (!(/** @type {any} */ (refusal).code)) console.error(refusal);
      error.value = refusal;
    }
    busy.value = false;
  };
  return { run, busy, error };
}

/**
 * @param {{submit: string, onSubmit: (values: Record<string, string>, form: FormData) => any,
 *   children?: any, label?: string, quiet?: boolean}} props
 */
export function Form({ submit, onSubmit, children, label, quiet = false }) {
  const { run, busy, error } = useAction(async (/** @type {HTMLFormElement} */ form) => {
    const data = new FormData(form);
    await onSubmit(/** @type {any} */ (Object.fromEntries(data)), data);
  });
  const send = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    void run(event.currentTarget);
  };
  return html`
    <form onSubmit=${send} aria-label=${label} aria-busy=${busy.value}>
      ${children}
      <${Refusal} error=${error.value} />
      <button type="submit" class=${quiet ? "" : "primary"} aria-disabled=${busy.value}>
        ${submit}</button>
    </form>`;
}

/** @param {Record<string, any>} props */
export function Field({ label, hint, type = "text", value = "", required = true, ...more }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}${required ? "" : html` <small>(optional)</small>`}</label>
      <input id=${id} type=${type} defaultValue=${value} required=${required}
        aria-describedby=${hint ? `${id}-hint` : undefined} ...${more} />
      ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
    </div>`;
}

/** @param {Record<string, any>} props */
export function Area({ label, value = "", required = true, ...more }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}${required ? "" : html` <small>(optional)</small>`}</label>
      <textarea id=${id} rows="3" required=${required} defaultValue=${value} ...${more}></textarea>
    </div>`;
}

/**
 * @param {{label: string, options: [value: string, title: string][], value?: string,
 *   [more: string]: any}} props
 */
export function Select({ label, options, value, ...more }) {
  const id = useId();
  const known = options.some(([option]) => option === value);
  const all = value && !known ? [[value, value], ...options] : options;
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select id=${id} ...${more}>
        ${all.map(([option, title]) => html`
          <option key=${option} value=${option} selected=${option === value}>${title}</option>`)}
      </select>
    </div>`;
}

/** A checkbox. `checked` always determines its state, `defaultChecked` only the first one.
 * @param {Record<string, any>} props */
export function Check({ label, ...more }) {
  const id = useId();
  return html`
    <div class="check">
      <input id=${id} type="checkbox" ...${more} />
      <label for=${id}>${label}</label>
    </div>`;
}

/**
 * A button that runs an action, and shows its refusal next to it.
 * @param {{action: () => Promise<unknown>, children?: any, [more: string]: any}} props
 */
export function Do({ action, children, ...more }) {
  const { run, busy, error } = useAction(action);
  return html`
    <button type="button" aria-disabled=${busy.value} onClick=${() => run()} ...${more}>
      ${children}</button>
    ${error.value && html`<${Refusal} error=${error.value} />`}`;
}
