/** Asks who changes how one signs in to prove anew that it is them. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { parley } from "../state.js";
import { Do, Field, Form } from "./form.js";
import { Dialog } from "./dialog.js";
import { Providers } from "./providers.js";

/** @import { SignInMethods } from "../contracts.js" */

/**
 * @param {{methods: SignInMethods, onProved: () => void, onClose: () => void}} props
 */
export function Proof({ methods, onProved, onClose }) {
  const mailed = useSignal(false);
  const prove = async (/** @type {any} */ form) => {
    await parley.call("/profile", "prove", form);
    onProved();
  };
  const mail = async () => {
    await parley.call("/profile", "send_proof", {});
    mailed.value = true;
  };
  const providers = methods.identities.map(({ provider }) => provider);
  return html`
    <${Dialog} title="Is it you?" onClose=${onClose}>
      ${methods.password && !mailed.value && html`
        <${Form} submit="Continue" onSubmit=${prove} label="Prove by password">
          <${Field} label="Your password" name="password" type="password"
            autocomplete="current-password" />
        <//>`}
      ${mailed.value
        ? html`
          <p role="status">We sent you a pincode.</p>
          <${Form} submit="Continue" onSubmit=${prove} label="Prove by pincode">
            <${Field} label="Pincode" name="pincode" inputmode="numeric" pattern="[0-9]{6}"
              autocomplete="one-time-code" />
          <//>`
        : html`<p><${Do} action=${mail}>Send me a pincode<//></p>`}
      <${Providers} purpose="prove" verb="Prove by" only=${providers} />
    <//>`;
}
