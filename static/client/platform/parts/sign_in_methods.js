/** The user's sign-in methods: adding one at a provider, and removing one. */

import { html } from "htm/preact";
import { parley } from "../../state.js";
import { Do } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Refusal } from "../../parts/page.js";
import { useProof } from "./proof.js";
import { Providers } from "./providers.js";

export function SignInMethods() {
  const { value, error, set } = useLoaded(() => parley.call("/profile", "sign_in_methods", {}), []);
  const { attempt, asking } = useProof();
  if (!value) return html`<${Refusal} error=${error} />`;
  const removePassword = () => attempt(async () =>
    set(await parley.call("/profile", "remove_password", {})));
  const unlink = (/** @type {string} */ identity_id) => attempt(async () =>
    set(await parley.call("/profile", "unlink", { identity_id })));
  return html`
    <ul class="list" data-test="methods">
      ${value.password && html`<li>Password${" "}
        <${Do} action=${removePassword} aria-label="Remove the password">Remove<//></li>`}
      ${value.identities.map(({ id, title, email }) => html`
        <li key=${id}>${title} <span class="quiet">${email}</span>${" "}
          <${Do} action=${() => unlink(id)} aria-label=${`Remove ${title}`}>Remove<//></li>`)}
    </ul>
    <${Providers} purpose="link" verb="Add" />
    ${asking}`;
}
