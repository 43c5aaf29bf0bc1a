/** Asks for the fresh proof that changes of sign-in methods require. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { parley } from "../../state.js";
import { Dialog } from "../../parts/dialog.js";
import { Do, Field, Form, useAction } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Refusal } from "../../parts/page.js";
import { Providers } from "./providers.js";

/**
 * `attempt(change)` runs a change, and asks for a proof first if it needs one. `asking` is the
 * dialog, with the refusal of a change that ran after it.
 */
export function useProof() {
  const waiting = useSignal(/** @type {(() => Promise<unknown>) | null} */ (null));
  const attempt = async (/** @type {() => Promise<unknown>} */ change) => {
    try {
      await change();
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
  const asking = html`
    <${Refusal} error=${again.error.value} />
    ${waiting.value && html`
      <${Proof} onProved=${proved} onClose=${() => (waiting.value = null)} />`}`;
  return { attempt, asking };
}

/** @param {{onProved: () => void, onClose: () => void}} props */
function Proof({ onProved, onClose }) {
  const { value: methods } = useLoaded(() => parley.call("/profile", "sign_in_methods", {}), []);
  const mailed = useSignal(false);
  const prove = async (/** @type {any} */ form) => {
    await parley.call("/profile", "prove", form);
    onProved();
  };
  const mail = async () => {
    await parley.call("/profile", "send_proof", {});
    mailed.value = true;
  };
  const providers = methods?.identities.map(({ provider }) => provider) ?? [];
  return html`
    <${Dialog} title="Confirm your identity" onClose=${onClose}>
      ${methods?.password && !mailed.value && html`
        <${Form} submit="Continue" onSubmit=${prove} label="Confirm with password">
          <${Field} label="Your password" name="password" type="password"
            autocomplete="current-password" />
        <//>`}
      ${mailed.value
        ? html`
          <p role="status">We sent you a pincode.</p>
          <${Form} submit="Continue" onSubmit=${prove} label="Confirm with pincode">
            <${Field} label="Pincode" name="pincode" inputmode="numeric" pattern="[0-9]{6}"
              autocomplete="one-time-code" />
          <//>`
        : html`<p><${Do} action=${mail}>Send me a pincode<//></p>`}
      <${Providers} purpose="prove" verb="Confirm with" only=${providers} />
    <//>`;
}
