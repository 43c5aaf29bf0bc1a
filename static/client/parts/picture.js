/** The viewer's own picture: shown, changed, taken away. */

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { me, parley } from "../state.js";
import { Do, useAction } from "./form.js";
import { Refusal } from "./page.js";

export function Picture() {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const set = async (/** @type {string | null} */ upload_id) => {
    me.value = await parley.call("/profile", "set_picture", { upload_id });
  };
  const { run, busy, error } = useAction(async (/** @type {File} */ file) => {
    await set((await parley.upload(file)).id);
  });
  const picked = (/** @type {any} */ event) => {
    const [file] = event.currentTarget.files;
    if (file) void run(file);
    event.currentTarget.value = "";
  };
  const id = me.value?.picture_id;
  return html`
    <div class="actions">
      ${id && html`<img class="portrait" src=${`/pictures/${id}?small`} alt="Your picture"
        data-test="picture" />`}
      <input type="file" class="hidden" ref=${input} onChange=${picked} aria-label="Picture file"
        accept="image/jpeg,image/png,image/webp,image/gif" tabindex="-1" />
      <button type="button" aria-disabled=${busy.value} onClick=${() => input.current?.click()}>
        ${busy.value ? "Sending …" : "Choose a picture"}</button>
      ${id && html`<${Do} action=${() => set(null)}>Remove the picture<//>`}
    </div>
    <${Refusal} error=${error.value} />`;
}
