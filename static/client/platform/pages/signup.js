/** Sign-up: first the address, then the pincode from the mail, with name and password. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Do, Field, Form } from "../../parts/form.js";
import { Page } from "../../parts/page.js";
import { Providers } from "../parts/providers.js";
import { useElsewhere } from "../../router.js";
import { parley } from "../../state.js";
import { zone } from "../../when.js";

/** Sets the time zone of the profile, in which mails show times, to the browser's. */
const rememberZone = () =>
  parley.call("/profile", "update", { time_zone: zone }).catch(() => {});

/** @typedef {{email: string, ticket: string}} Sent */
/** @param {Sent & {again: () => Promise<void>, restart: () => void}} props */
function Complete({ email, ticket, again, restart }) {
  const submit = async (/** @type {any} */ form) => {
    await parley.completeSignup({ ...form, email, ticket, pincode: form.pincode.trim() });
    void rememberZone();
  };
  return html`
    <p role="status">We sent a pincode to <strong>${email}</strong>. If it does not arrive, check
      the address and your spam folder.</p>
    <${Form} submit="Create account" onSubmit=${submit} label="Create your account">
      <${Field} label="Pincode" name="pincode" inputmode="numeric" pattern="\\s*[0-9]{6}\\s*"
        autocomplete="one-time-code" hint="Six digits, valid for 10 minutes" />
      <${Field} label="First name" name="first_name" autocomplete="given-name" maxlength="100" />
      <${Field} label="Last name" name="last_name" autocomplete="family-name" maxlength="100" />
      <${Field} label="Password" name="password" type="password" autocomplete="new-password"
        minlength="8" hint="At least 8 characters" />
    <//>
    <div class="actions">
      <${Do} action=${again}>Send another pincode<//>
      <button type="button" class="plain" onClick=${restart}>Use another address</button>
    </div>`;
}

export function Signup() {
  useElsewhere();
  const sent = useSignal(/** @type {Sent | null} */ (null));
  const submit = async (/** @type {any} */ { email }) => {
    const { ticket } = await parley.startSignup(email);
    sent.value = { email, ticket };
  };
  return html`
    <${Page} title="Sign up">
      ${sent.value
        ? html`<${Complete} ...${sent.value} again=${() => submit(sent.value)}
            restart=${() => (sent.value = null)} />`
        : html`
          <${Form} submit="Send pincode" onSubmit=${submit} label="Sign up">
            <${Field} label="Email" name="email" type="email" autocomplete="email" />
          <//>
          <${Providers} purpose="sign_in" verb="Continue with" />
          <p>Already have an account? <a href="#/login">Log in</a></p>`}
    <//>`;
}
