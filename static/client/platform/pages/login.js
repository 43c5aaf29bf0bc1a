/** Login with email address and password. */

import { html } from "htm/preact";
import { Field, Form } from "../../parts/form.js";
import { Providers } from "../parts/providers.js";
import { Page } from "../../parts/page.js";
import { useElsewhere } from "../../router.js";
import { parley } from "../../state.js";

export function Login() {
  const submit = (/** @type {any} */ { email, password }) => parley.login(email, password);
  useElsewhere();
  return html`
    <${Page} title="Log in">
      <${Form} submit="Log in" onSubmit=${submit} label="Log in">
        <${Field} label="Email" name="email" type="email" autocomplete="username" />
        <${Field} label="Password" name="password" type="password"
          autocomplete="current-password" />
      <//>
      <${Providers} purpose="sign_in" verb="Continue with" />
      <p><a href="#/forgot">Forgot your password?</a></p>
      <p>New here? <a href="#/signup">Sign up</a></p>
    <//>`;
}
