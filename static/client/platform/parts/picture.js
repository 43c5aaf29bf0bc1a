/** Showing, changing and removing a picture: of the user, of a group, or in a form. */

import { html } from "htm/preact";
import { useId, useRef } from "preact/hooks";
import { me, parley } from "../../state.js";
import { Check, Do, useAction } from "../../parts/form.js";
import { Refusal } from "../../parts/page.js";

const TYPES = "image/jpeg,image/png,image/webp,image/gif,image/avif,"
  + "image/heic,image/heif,.heic,.heif";

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
        accept=${TYPES} tabindex="-1" />
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

/**
 * A picture field of a form; `address` is the URL of the current picture.
 * @param {{label: string, name: string, address?: string | null}} props
 */
export function PictureField({ label, name, address }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label} <small>(optional)</small></label>
      ${address && html`<img class="portrait" src=${`${address}?small`} alt="" />`}
      <input id=${id} type="file" name=${name} accept=${TYPES} />
    </div>
    ${address && html`<${Check} label="Remove the picture" name=${removal(name)} />`}`;
}

/** @param {string} name */
const removal = (name) => `${name}_removed`;

/**
 * The picture field of a request: an upload's id, null to remove it, or no field to keep it.
 * A chosen file is uploaded first.
 * @param {FormData} data
 * @param {string} name
 * @returns {Promise<Record<string, string | null>>}
 */
export async function pictureOf(data, name) {
  const file = data.get(name);
  if (file instanceof File && file.size) return { [name]: (await parley.upload(file)).id };
  return data.has(removal(name)) ? { [name]: null } : {};
}
