/** A picture that is shown, changed, taken away: the viewer's own, or a group's. */

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { me, parley } from "../state.js";
import { Do, useAction } from "./form.js";
import { Refusal } from "./page.js";

/**
 * @param {{id: string | null | undefined, alt: string,
 *   set: (upload_id: string | null) => Promise<unknown>}} props
 */
export function ChoosePicture({ id, alt, set }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { run, busy, error } = useAction(async (/** @type {File} */ file) => {
    await set((await parley.upload(file)).id);
  });
  const picked = (/** @type {any} */ event) => {
    const [file] = event.currentTarget.files;
    if (file) void run(file);
    event.currentTarget.value = "";
  };
  return html`
    <div class="actions">
      ${id && html`<img class="portrait" src=${`/pictures/${id}?small`} alt=${alt}
        data-test="picture" />`}
      <input type="file" class="hidden" ref=${input} onChange=${picked} aria-label="Picture file"
        accept="image/jpeg,image/png,image/webp,image/gif" tabindex="-1" />
      <button type="button" aria-disabled=${busy.value} onClick=${() => input.current?.click()}>
        ${busy.value ? "Sending …" : "Choose a picture"}</button>
      ${id && html`<${Do} action=${() => set(null)}>Remove the picture<//>`}
    </div>
    <${Refusal} error=${error.value} />`;
}

export function Picture() {
  const set = async (/** @type {string | null} */ upload_id) => {
    me.value = await parley.call("/profile", "set_picture", { upload_id });
  };
  return html`<${ChoosePicture} id=${me.value?.picture_id} alt="Your picture" set=${set} />`;
}
