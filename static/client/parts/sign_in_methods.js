/** The ways in which the viewer can sign in: added at a provider, removed here. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { parley } from "../state.js";
import { Do, useAction } from "./form.js";
import { useLoaded } from "./loaded.js";
import { Refusal } from "./page.js";
import { Proof } from "./proof.js";
import { Providers } from "./providers.js";

/** @import { SignInMethods as Methods } from "../contracts.js" */

export function SignInMethods() {
  const { value, error, set } = useLoaded(() => parley.call("/profile", "sign_in_methods", {}), []);
  /** What waits for a proof. @type {{value: (() => Promise<Methods>) | null}} */
  const waiting = useSignal(/** @type {(() => Promise<Methods>) | null} */ (null));
  /** Does it, or asks for a proof first. */
  const attempt = async (/** @type {() => Promise<Methods>} */ change) => {
    try {
      set(await change());
    } catch (refusal) {
      if (/** @type {any} */ (refusal).code !== "PROOF_NEEDED") throw refusal;
      waiting.value = change;
    }
  };
  const again = useAction(attempt);
  const proved = () => {
    const change = waiting.value;
    waiting.value = null;
    void again.run(change);
  };
  if (!value) return html`<${Refusal} error=${error} />`;
  const removePassword = () => parley.call("/profile", "remove_password", {});
  const unlink = (/** @type {string} */ identity_id) =>
    parley.call("/profile", "unlink", { identity_id });
  return html`
    <ul class="list" data-test="methods">
      ${value.password && html`<li>Password${" "}
        <${Do} action=${() => attempt(removePassword)} aria-label="Remove the password">
          Remove<//></li>`}
      ${value.identities.map(({ id, title, email }) => html`
        <li key=${id}>${title} <span class="quiet">${email}</span>${" "}
          <${Do} action=${() => attempt(() => unlink(id))} aria-label=${`Remove ${title}`}>
            Remove<//></li>`)}
    </ul>
    <${Refusal} error=${again.error.value} />
    <${Providers} purpose="link" verb="Add" />
    ${waiting.value && html`
      <${Proof} methods=${value} onProved=${proved} onClose=${() => (waiting.value = null)} />`}`;
}
