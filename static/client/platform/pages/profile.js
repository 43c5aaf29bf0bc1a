/** The user's own profile, password and status. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Account } from "../parts/account.js";
import { Address } from "../parts/address.js";
import { Check, Do, Field, Form, Select } from "../../parts/form.js";
import { Picture } from "../parts/picture.js";
import { Page } from "../../parts/page.js";
import { languageOptions, zoneOptions } from "../../parts/places.js";
import { Sessions } from "../parts/sessions.js";
import { SignInMethods } from "../parts/sign_in_methods.js";
import { setInvisible, useOwnPresence } from "../own_presence.js";
import { setStatus, usePresence } from "../presence.js";
import { me, myId, parley } from "../../state.js";
import { systems } from "../../systems.js";

/** @type {[string, string][]} */
const THEMES = [["system", "Same as this device"], ["light", "Light"], ["dark", "Dark"]];

function Details() {
  const saved = useSignal(false);
  const user = /** @type {import("../../contracts.js").User} */ (me.value);
  const submit = async (/** @type {any} */ { theme, read_receipts, ...form }) => {
    saved.value = false;
    const settings = { theme, read_receipts: read_receipts === "on" };
    me.value = await parley.call("/profile", "update", { ...form, settings });
    saved.value = true;
  };
  return html`
    <${Form} submit="Save" onSubmit=${submit} label="Profile">
      <${Field} label="First name" name="first_name" value=${user.first_name} maxlength="100" />
      <${Field} label="Last name" name="last_name" value=${user.last_name} maxlength="100" />
      <${Select} label="Language" name="language" value=${user.language}
        options=${languageOptions()} />
      <${Select} label="Time zone for emails" name="time_zone" value=${user.time_zone}
        options=${zoneOptions()} />
      <${Select} label="Theme" name="theme" value=${user.settings.theme} options=${THEMES} />
      <${Check} label="Send read receipts" name="read_receipts"
        defaultChecked=${user.settings.read_receipts} />
    <//>
    <p role="status">${saved.value ? "Saved." : ""}</p>`;
}

function Password() {
  const saved = useSignal(false);
  const submit = async (/** @type {any} */ form) => {
    saved.value = false;
    await parley.call("/profile", "change_password", form);
    saved.value = true;
  };
  return html`
    <${Form} submit="Change password" onSubmit=${submit} label="Change password">
      <${Field} label="Current password" name="current_password" type="password"
        autocomplete="current-password" />
      <${Field} label="New password" name="new_password" type="password" minlength="8"
        autocomplete="new-password" hint="At least 8 characters" />
    <//>
    <p role="status">${saved.value
      ? "Password changed. Your other devices were logged out." : ""}</p>`;
}

/** @param {{on: boolean}} props */
const Invisible = ({ on }) => html`
  <p>
    <${Do} action=${() => setInvisible(!on)} aria-pressed=${on}>Invisible<//>
    <small>${on ? "Others see you as offline, and do not see when you type."
      : "Hides when you are online and when you type."}</small>
  </p>`;

function Status() {
  const seen = usePresence(myId());
  const own = useOwnPresence().state.value;
  const status = own?.invisible ? own.status : seen?.status;
  /** @type {["active" | "away" | "busy", string][]} */
  const choices = [["active", "Active"], ["away", "Away"], ["busy", "Busy"]];
  return html`
    <div class="actions" role="group" aria-label="Status">
      ${choices.map(([value, title]) => html`
        <${Do} key=${value} action=${() => setStatus(value)}
          aria-pressed=${status === value}>
          ${title}<//>`)}
    </div>
    ${own && html`<${Invisible} on=${own.invisible} />`}`;
}

export const Profile = () => html`
  <${Page} title="Profile">
    <p class="quiet">${me.value?.email}</p>
    <${Picture} />
    <${Details} />
    <h2>Status</h2>
    <${Status} />
    ${systems().map(({ ProfileSection }) => ProfileSection && html`<${ProfileSection} />`)}
    <h2>Password</h2>
    <${Password} />
    <h2>Sign-in methods</h2>
    <${SignInMethods} />
    <h2>Email address</h2>
    <${Address} />
    <h2>Where you are signed in</h2>
    <${Sessions} />
    <h2>Your data</h2>
    <${Account} />
    <h2>Log out</h2>
    <p><${Do} action=${() => parley.logout()}>Log out<//></p>
  <//>`;
