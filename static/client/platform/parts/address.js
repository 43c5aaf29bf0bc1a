/** Changing the email address, with pincodes for the old and the new one. */

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { me, parley } from "../../state.js";
import { Do, Field, Form } from "../../parts/form.js";
import { useProof } from "./proof.js";

export function Address() {
  const moving = useSignal("");
  const saved = useSignal(false);
  const { attempt, asking } = useProof();
  const start = (/** @type {any} */ { email }) => attempt(async () => {
    saved.value = false;
    await parley.call("/profile", "change_email", { email });
    moving.value = email;
  });
  const confirm = async (/** @type {any} */ pincodes) => {
    me.value = await parley.call("/profile", "confirm_email", { email: moving.value, ...pincodes });
    moving.value = "";
    saved.value = true;
  };
  const pincode = { inputmode: "numeric", pattern: "[0-9]{6}", autocomplete: "one-time-code" };
  if (!moving.value) {
    return html`
      <${Form} submit="Change address" onSubmit=${start} label="Change address">
        <${Field} label="New email" name="email" type="email" autocomplete="email" />
      <//>
      <p role="status">${saved.value
        ? "Email address changed. Your other devices were logged out." : ""}</p>
      ${asking}`;
  }
  return html`
    <p role="status">We sent a pincode to each of the two addresses.</p>
    <${Form} submit="Confirm" onSubmit=${confirm} label="Confirm the new address">
      <${Field} label=${`Pincode sent to ${me.value?.email}`} name="old_pincode" ...${pincode} />
      <${Field} label=${`Pincode sent to ${moving.value}`} name="pincode" ...${pincode} />
    <//>
    <p><${Do} action=${async () => (moving.value = "")}>Keep my current address<//></p>`;
}
