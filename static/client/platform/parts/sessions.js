/** The user's sessions on all devices, with buttons to end them. */

import { html } from "htm/preact";
import { parley } from "../../state.js";
import { moment } from "../../when.js";
import { Do } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";
import { Pending } from "../../parts/page.js";

export function Sessions() {
  const { value, error, load } = useLoaded(() => parley.call("/profile", "sessions", {}), []);
  if (!value) return html`<${Pending} error=${error} retry=${load} />`;
  const end = async (/** @type {string} */ session_id) => {
    await parley.call("/profile", "end_session", { session_id });
    await load();
  };
  const endOthers = async () => {
    await parley.call("/profile", "end_other_sessions", {});
    await load();
  };
  const forgive = async () => {
    await parley.call("/profile", "forgive_guesses", {});
    await load();
  };
  return html`
    ${value.guesses && html`
      <p role="status" data-test="guesses">Someone tried ${value.guesses.tries} wrong passwords for
        your account. New devices have to wait until ${moment(value.guesses.free_at)} before they
        can log in. If it was you, let them log in now.
        <${Do} action=${forgive}>Allow log-ins now<//></p>`}
    <ul class="list" data-test="sessions">
      ${value.sessions.map(({ id, device, place, address, last_seen_at, current }) => html`
        <li key=${id}>${device} <span class="quiet">${place || address},
          ${current ? "this device" : `last seen ${moment(last_seen_at)}`}</span>${" "}
          ${!current && html`
            <${Do} action=${() => end(id)} aria-label=${`Sign out ${device}`}>Sign out<//>`}</li>`)}
    </ul>
    ${value.sessions.length > 1 && html`
      <p><${Do} action=${endOthers}>Sign out everywhere else<//></p>`}`;
}
