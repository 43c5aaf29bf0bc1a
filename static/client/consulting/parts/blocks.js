/** Blocks by day, each with its free places, booking and waiting list. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Do } from "../../parts/form.js";
import { Empty } from "../../parts/page.js";
import { offerOf, settleOffer } from "../offers.js";
import { clock, date, moment, zone } from "../../when.js";
import { me, parley } from "../../state.js";

/** @import { Block } from "../../contracts.js" */
/** @typedef {{block: Block, book: (block: Block) => void, bookable: boolean}} Props */

/** @param {Block[]} blocks @returns {[string, Block[]][]} */
function byDay(blocks) {
  const coming = blocks
    .filter(({ status, ends_at }) => status !== "cancelled" && Date.parse(ends_at) > Date.now())
    .toSorted((a, b) => a.starts_at.localeCompare(b.starts_at));
  const days = new Map();
  for (const block of coming) {
    const day = date(block.starts_at);
    days.set(day, [...(days.get(day) ?? []), block]);
  }
  return [...days];
}

/** @param {{block: Block}} props */
function WaitingList({ block }) {
  const position = useSignal(0);
  const join = async () => {
    const place = await parley.call("/availability", "join_waiting_list", { block_id: block.id });
    position.value = place.position;
  };
  const leave = async () => {
    await parley.call("/availability", "leave_waiting_list", { block_id: block.id });
    position.value = 0;
  };
  if (!position.value) return html`<${Do} action=${join}>Join the waiting list<//>`;
  return html`<span role="status">Number ${position.value} on the waiting list</span>
    <${Do} action=${leave}>Leave the waiting list<//>`;
}

/** @param {Props & {until: string}} props */
function Offered({ block, book, until }) {
  const decline = async () => {
    await parley.call("/availability", "leave_waiting_list", { block_id: block.id });
    settleOffer(block.id);
  };
  return html`<span role="status">A place is reserved for you until ${until}</span>
    <button type="button" class="primary" onClick=${() => book(block)}>Book this place</button>
    <${Do} action=${decline}>Decline<//>`;
}

/** @param {Props} props */
function Choices(props) {
  const { block, book, bookable } = props;
  if (!bookable) return null;
  const offer = block.status === "full" ? offerOf(block.id) : null;
  if (offer) return html`<${Offered} ...${props} until=${moment(offer.expires_at)} />`;
  if (block.status === "unavailable") return null;
  if (block.status === "full") return me.value && html`<${WaitingList} block=${block} />`;
  return html`<button type="button" class="primary" onClick=${() => book(block)}
    aria-label=${`Book ${date(block.starts_at)}, ${clock(block.starts_at)}`}>Book</button>`;
}

/** @param {Block} block */
function places({ status, max_calls, taken }) {
  if (status === "unavailable") return "Not available";
  return status === "full" ? "Full" : `${max_calls - taken} of ${max_calls} free`;
}

/** @param {{blocks: Block[], bookable: boolean, book: (block: Block) => void}} props */
export function Blocks({ blocks, bookable, book }) {
  const days = byDay(blocks);
  if (!days.length) return html`<${Empty}>No times in the coming weeks.<//>`;
  return html`
    <p class="quiet">Times in ${zone.replaceAll("_", " ")}</p>
    ${days.map(([day, ofDay]) => html`
      <section key=${day} aria-label=${day}>
        <h3>${day}</h3>
        <ul class="list">${ofDay.map((block) => html`
          <li key=${block.id} data-test="block" data-id=${block.id} data-status=${block.status}>
            <span><strong>${clock(block.starts_at)} – ${clock(block.ends_at)}</strong>
              ${" "}<span class=${`tag ${block.status}`}>${places(block)}</span></span>
            <span class="actions">
              <${Choices} block=${block} bookable=${bookable} book=${book} /></span>
          </li>`)}</ul>
      </section>`)}`;
}
