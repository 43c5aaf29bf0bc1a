/** A button for each sign-in provider. */

import { html } from "htm/preact";
import { leave } from "../../parley/oauth.js";
import { parley } from "../../state.js";
import { Do } from "../../parts/form.js";
import { useLoaded } from "../../parts/loaded.js";

/** @param {string} provider @param {import("../../parley/oauth.js").Purpose} purpose */
const go = async (provider, purpose) => location.assign(await leave(provider, purpose));

/**
 * @param {{purpose: import("../../parley/oauth.js").Purpose, verb: string, only?: string[]}} props
 */
export function Providers({ purpose, verb, only }) {
  const { value } = useLoaded(() => parley.call("/auth", "providers", {}), []);
  const shown = value?.providers.filter(({ name }) => !only || only.includes(name)) ?? [];
  if (!shown.length) return null;
  return html`
    <div class="actions">
      ${shown.map(({ name, title }) => html`
        <${Do} key=${name} action=${() => go(name, purpose)}>${verb} ${title}<//>`)}
    </div>`;
}
