/** A modal dialog that returns the focus to the element that opened it. */

import { html } from "htm/preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

/** @param {{title: string, onClose: () => void, children?: any}} props */
export function Dialog({ title, onClose, children }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const { current } = dialog;
    current?.showModal();
    // The browser returns the focus only if the dialog closes before its element is removed.
    return () => current?.close();
  }, []);
  return html`
    <dialog ref=${dialog} aria-labelledby=${id} onCancel=${onClose}>
      <div class="page-head">
        <h2 id=${id}>${title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick=${onClose}>✕</button>
      </div>
      ${children}
    </dialog>`;
}
