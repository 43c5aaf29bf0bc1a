/** Logging in with address and password. */

import { html } from "htm/preact";
import { Field, Form } from "../parts/form.js";
import { Page } from "../parts/page.js";
import { goWhereWanted, path } from "../router.js";
import { parley } from "../state.js";

export function Login() {
  const submit = async (/** @type {any} */ { email, password }) => {
    await parley.login(email, password);
    // Who was sent here from a page that needs a person comes back to that page.
    if (path.value[0] === "login") goWhereWanted();
  };
  return html`
    <${Page} title="Log in">
      <${Form} submit="Log in" onSubmit=${submit} label="Log in">
        <${Field} label="Email" name="email" type="email" autocomplete="username" />
        <${Field} label="Password" name="password" type="password"
          autocomplete="current-password" />
      <//>
      <p>New here? <a href="#/signup">Sign up</a></p>
    <//>`;
}
