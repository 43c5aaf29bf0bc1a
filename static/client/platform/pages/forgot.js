/** Setting a new password with a pincode from a mail. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Field, Form } from "../../parts/form.js";
import { Page } from "../../parts/page.js";
import { useElsewhere } from "../../router.js";
import { parley } from "../../state.js";

export function Forgot() {
  useElsewhere();
  const sent = useSignal(/** @type {{email: string, ticket: string} | null} */ (null));
  const ask = async (/** @type {any} */ form) => {
    const { ticket } = await parley.forgotPassword(form.email);
    sent.value = { email: form.email, ticket };
  };
  const reset = async (/** @type {any} */ form) => {
    await parley.resetPassword({ ...form, ...sent.value });
  };
  return html`
    <${Page} title="Reset your password">
      ${sent.value
        ? html`
          <p role="status">We sent an email to <strong>${sent.value.email}</strong>.</p>
          <${Form} submit="Set password" onSubmit=${reset} label="Set a new password">
            <${Field} label="Pincode" name="pincode" inputmode="numeric" pattern="[0-9]{6}"
              autocomplete="one-time-code" />
            <${Field} label="New password" name="new_password" type="password" minlength="8"
              autocomplete="new-password" hint="At least 8 characters" />
          <//>`
        : html`
          <${Form} submit="Send pincode" onSubmit=${ask} label="Forgotten password">
            <${Field} label="Email" name="email" type="email" autocomplete="username" />
          <//>`}
    <//>`;
}
