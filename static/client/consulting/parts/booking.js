/** A booking as a card, with the actions of its two parties. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Area, Do, Form } from "../../parts/form.js";
import { Dialog } from "../../parts/dialog.js";
import { Empty, Pending } from "../../parts/page.js";
import { Name } from "../../platform/people.js";
import { current } from "../calls.js";
import { openChat } from "../../platform/chats.js";
import { inDays, moment, span } from "../../when.js";
import { go } from "../../router.js";
import { me, parley } from "../../state.js";
import { price } from "../../money.js";
import { useLoaded } from "../../parts/loaded.js";

/** @import { Booking } from "../../contracts.js" */

/**
 * @typedef {object} Props
 * @property {Booking} booking
 * @property {(booking: Booking) => void} changed
 * @property {boolean} [inChat] hides the button that leads to the chat
 */

const STATUS = {
  requested: "Waiting for an answer", approved: "Approved", rejected: "Rejected",
  cancelled: "Cancelled", expired: "Expired", completed: "Completed", missed: "Missed",
};
/** Who came to a missed hour, as the user `mine` ("student" or "consultant") reads it.
 * @param {Booking["attended"]} attended @param {boolean} theirs */
const cameToMissed = (attended, theirs) => {
  const mine = theirs ? "consultant" : "student";
  if (attended.length === 2) return "You were both there, but no call took place.";
  if (!attended.length) return "Nobody came.";
  return attended[0] === mine ? "You came, the other person did not." : "You did not come.";
};

/** @param {Props & {command: "reject" | "cancel", title: string, onClose: () => void}} props */
function WithReason({ booking, command, title, changed, onClose }) {
  const submit = async (/** @type {any} */ { reason }) => {
    const { id: booking_id, version } = booking;
    const ask = { booking_id, version, ...(reason && { reason }) };
    changed(await parley.call("/booking", command, ask));
    onClose();
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <${Form} submit=${title} onSubmit=${submit}>
        <${Area} label="Reason" name="reason" required=${false} maxlength="500" />
      <//>
    <//>`;
}

/** @param {Props & {onClose: () => void}} props */
function Reschedule({ booking, changed, onClose }) {
  const { consultant_id } = booking;
  const { value, error } = useLoaded(() =>
    parley.call("/availability", "list_blocks", { consultant_id, from: inDays(0), to: inDays(21) }),
  [consultant_id]);
  const free = value?.blocks
    .filter(({ id, status }) => status === "available" && id !== booking.block_id);
  const move = (/** @type {string} */ block_id) => async () => {
    const { id: booking_id, version } = booking;
    changed(await parley.call("/booking", "reschedule", { booking_id, block_id, version }));
    onClose();
  };
  return html`
    <${Dialog} title="Choose another block" onClose=${onClose}>
      ${!free && html`<${Pending} error=${error} />`}
      ${free?.length === 0 && html`<${Empty}>No other block is free.<//>`}
      <ul class="list">${free?.map((block) => html`
        <li key=${block.id} data-test="block" data-id=${block.id}>
          <span>${span(block)}</span>
          <${Do} action=${move(block.id)} aria-label=${`Move to ${span(block)}`}>Move here<//>
        </li>`)}</ul>
    <//>`;
}

/** Opens the call of a booking again after it was lost. @param {string} booking_id */
export const returnToCall = async (booking_id) => {
  const call = await parley.call("/booking", "reopen_call", { booking_id });
  go(`/calls/${call.id}`);
};

/** @param {Props} props */
function Actions({ booking, changed, inChat = false }) {
  const dialog = useSignal("");
  const close = () => (dialog.value = "");
  const { id: booking_id, version, status, block_id } = booking;
  const theirs = booking.consultant_id === me.value?.id;
  const over = new Date(booking.ends_at) <= new Date();
  const open = (status === "requested" || status === "approved") && !over;
  const other = theirs ? booking.student_id : booking.consultant_id;
  const approve = async () => changed(await parley.call("/booking", "approve",
    { booking_id, version }));
  const talk = () => openChat(other);
  const call = current.value?.booking_id === booking_id ? current.value : null;
  return html`
    <div class="actions">
      ${call && html`<a class="button primary" href=${`#/calls/${call.id}`}>Join the call</a>`}
      ${open && !call && status === "approved" && booking.attended.length === 2 && html`
        <${Do} action=${() => returnToCall(booking_id)}>Return to the call<//>`}
      ${open && theirs && status === "requested" && html`
        <${Do} class="primary" action=${approve}>Approve<//>
        <button type="button" onClick=${() => (dialog.value = "reject")}>Reject</button>`}
      ${open && !theirs && status === "approved" && block_id && html`
        <a class="button primary" href=${`#/waiting-room/${booking_id}`}>Waiting room</a>`}
      ${open && theirs && status === "approved" && block_id && html`
        <a class="button primary" href=${`#/queue/${block_id}`}>Open the queue</a>`}
      ${open && block_id && html`
        <button type="button" onClick=${() => (dialog.value = "reschedule")}>Reschedule</button>`}
      ${open && (!theirs || status === "approved") && html`
        <button type="button" onClick=${() => (dialog.value = "cancel")}>Cancel booking</button>`}
      ${!inChat && html`<${Do} action=${talk}>Message<//>`}
    </div>
    ${dialog.value === "reschedule" && html`
      <${Reschedule} booking=${booking} changed=${changed} onClose=${close} />`}
    ${dialog.value === "reject" && html`<${WithReason} command="reject" title="Reject"
      booking=${booking} changed=${changed} onClose=${close} />`}
    ${dialog.value === "cancel" && html`<${WithReason} command="cancel" title="Cancel booking"
      booking=${booking} changed=${changed} onClose=${close} />`}`;
}

/** The agreed fees in words; empty without any. @param {Booking} booking */
function feesOf({ terms, starts_at }) {
  if (!terms) return "";
  const until = new Date(Date.parse(starts_at) - terms.change_until_minutes * 60_000);
  const fees = [];
  if (terms.late_cancellation_percent) {
    fees.push(`Cancelling after ${moment(until.toISOString())} costs ` +
      `${terms.late_cancellation_percent} % of the minimum price.`);
  }
  if (terms.no_show_percent) {
    fees.push(`Missing the hour costs ${terms.no_show_percent} % of it.`);
  }
  return fees.join(" ");
}

/** @param {Props} props */
export function BookingCard({ booking, changed, inChat }) {
  const { consultant_id, student_id, status, note, reason, hold_expires_at } = booking;
  const theirs = consultant_id === me.value?.id;
  return html`
    <article class="card" data-test="booking" data-id=${booking.id} data-status=${status}>
      <div class="card-head">
        <h3>${booking.topic_name}</h3>
        <span class=${`tag ${status}`}>${STATUS[status]}</span>
      </div>
      <p>${theirs ? "Requested by " : "With "}
        <${Name} id=${theirs ? student_id : consultant_id} />, ${span(booking)}</p>
      <p class="quiet">${price(booking.hourly_rate)} per hour,
        at least ${booking.minimal_duration_minutes} minutes
        ${status === "requested" && hold_expires_at
          && html`; reserved until ${moment(hold_expires_at)}`}</p>
      ${status === "approved" && html`<p class="quiet">${feesOf(booking)}</p>`}
      ${booking.fee_percent > 0 && html`<p>Fee: ${booking.fee_percent} % of the minimum price.</p>`}
      ${status === "missed" && html`<p>${cameToMissed(booking.attended, theirs)}</p>`}
      ${note && html`<p>“${note}”</p>`}
      ${reason && html`<p>Reason: ${reason}</p>`}
      <${Actions} booking=${booking} changed=${changed} inChat=${inChat} />
    </article>`;
}

/** The card in a message. It shows the card's own data, because the stream of the card may be
 * slightly behind that of the booking. @param {{data: Booking}} props */
export const ChatCard = ({ data }) => html`
  <${BookingCard} booking=${data} changed=${() => {}} inChat />`;
