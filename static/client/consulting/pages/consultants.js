/** The list of consultants. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Do } from "../../parts/form.js";
import { Empty, Page, Pending } from "../../parts/page.js";
import { useLoaded } from "../../parts/loaded.js";
import { countryName, languageName } from "../../parts/places.js";
import { Portrait } from "../../platform/parts/portrait.js";
import { price } from "../../money.js";
import { fullName } from "../../platform/people.js";
import { Dot } from "../../platform/presence.js";
import { parley } from "../../state.js";

/** @import { Consultant } from "../../contracts.js" */

const PAGE = 20;

/** @param {{consultant: Consultant}} props */
const Entry = ({ consultant }) => html`
  <li class="card" data-test="consultant" data-id=${consultant.id}>
    <div class="with-portrait">
      <${Portrait} person=${consultant} />
      <div>
        <h2><a href=${`#/consultants/${consultant.id}`}>${fullName(consultant)}</a>
          ${" "}<${Dot} id=${consultant.id} /></h2>
        <p class="quiet">${[countryName(consultant.country),
          ...consultant.languages.map(languageName)].join(" · ")}</p>
      </div>
    </div>
    ${consultant.available_now && html`<p><span class="tag approved">Available now</span></p>`}
    <p class="clamp">${consultant.about_me}</p>
    <ul class="chips">${(consultant.topics ?? []).map((topic) => html`
      <li key=${topic.id}>${topic.name} · ${price(topic.hourly_rate)}</li>`)}</ul>
  </li>`;

export function Consultants() {
  const more = useSignal(/** @type {Consultant[]} */ ([]));
  const next = useSignal(/** @type {string | null} */ (null));
  const { value, error, load } = useLoaded(async () => {
    const page = await parley.call("/consultants", "list", { limit: PAGE });
    more.value = [];
    next.value = page.next;
    return page;
  }, []);
  const older = async () => {
    const page = await parley.call("/consultants", "list",
      { limit: PAGE, before: /** @type {string} */ (next.value) });
    more.value = [...more.value, ...page.consultants];
    next.value = page.next;
  };
  const all = value && [...value.consultants, ...more.value];
  return html`
    <${Page} title="Consultants">
      ${!all && html`<${Pending} error=${error} retry=${load} />`}
      ${all?.length === 0 && html`<${Empty}>There are no consultants yet.<//>`}
      <ul class="cards">${all?.map((consultant) => html`
        <${Entry} key=${consultant.id} consultant=${consultant} />`)}</ul>
      ${next.value && html`<${Do} action=${older}>Show more<//>`}
    <//>`;
}
