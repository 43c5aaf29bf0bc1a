/** Coming back from a provider, with a ticket or with why there is none. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { forget, returned } from "../../parley/oauth.js";
import { Do, Field, Form } from "../../parts/form.js";
import { Page, Refusal } from "../../parts/page.js";
import { go, goWhereWanted, pretend, query } from "../../router.js";
import { me, parley } from "../../state.js";
import { zone } from "../../when.js";

/** Only who left from here has a use for a ticket: it may have been made for somebody else. */
function proofOf(/** @type {string | null} */ ticket) {
  const errand = returned();
  if (!ticket || !errand) return null;
  const { purpose, verifier } = errand;
  return { purpose, proof: verifier ? { ticket, verifier } : { ticket } };
}

/** @param {any} proof */
async function signIn(proof) {
  const { user } = await parley.signInByTicket(proof);
  forget();
  const isNew = user.created_at === user.updated_at && user.time_zone === "UTC";
  if (isNew) parley.call("/profile", "update", { time_zone: zone }).catch(() => {});
  goWhereWanted();
}

/** @param {{proof: any, suggested: string}} props */
function ProveAddress({ proof, suggested }) {
  const sent = useSignal(/** @type {{email: string, ticket: string} | null} */ (null));
  const ask = async (/** @type {any} */ { email }) => {
    const { ticket } = await parley.startSignup(email);
    sent.value = { email, ticket };
  };
  const complete = (/** @type {any} */ { pincode }) => signIn({
    ...proof, email: sent.value?.email, pincode_ticket: sent.value?.ticket, pincode,
  });
  if (!sent.value) {
    return html`
      <p>Your provider did not confirm an email address. Enter yours, and we send you a
        pincode.</p>
      <${Form} submit="Send pincode" onSubmit=${ask} label="Your email address">
        <${Field} label="Email" name="email" type="email" value=${suggested} />
      <//>`;
  }
  return html`
    <p role="status">We sent a pincode to <strong>${sent.value.email}</strong>.</p>
    <${Form} submit="Create account" onSubmit=${complete} label="Confirm your email address">
      <${Field} label="Pincode" name="pincode" inputmode="numeric" pattern="[0-9]{6}"
        autocomplete="one-time-code" />
    <//>
    <${Do} action=${async () => (sent.value = null)}>Use another address<//>`;
}

export function OAuth() {
  const error = useSignal(/** @type {any} */ (null));
  const found = useSignal(/** @type {any} */ (null));
  const arrive = async () => {
    const said = query();
    pretend("/oauth"); // a ticket is no part of a history
    found.value = proofOf(said.get("ticket"));
    if (!said.size && me.value) return goWhereWanted();
    if (!found.value) throw { code: said.get("error") ?? "TICKET_INVALID" };
    const { purpose, proof } = found.value;
    if (purpose === "sign_in") return signIn(proof);
    if (!me.value) throw { code: "SIGNED_OUT" };
    await parley.call("/profile", purpose, proof);
    forget();
    go("/profile");
  };
  const fail = (/** @type {any} */ refusal) => {
    // What was not to be had is not waited for: the next ticket would be somebody else's.
    if (refusal.code !== "EMAIL_NEEDED") forget();
    error.value = refusal;
  };
  useEffect(() => void arrive().catch(fail), []);
  if (error.value?.code === "EMAIL_NEEDED") {
    const suggested = error.value.details?.suggested ?? "";
    return html`<${Page} title="Your email address">
      <${ProveAddress} proof=${found.value.proof} suggested=${suggested} /><//>`;
  }
  return html`
    <${Page} title="Signing in">
      ${error.value
        ? html`<${Refusal} error=${error.value} />
          <p><a href=${me.value ? "#/profile" : "#/login"}>Try again</a></p>`
        : html`<p class="quiet">One moment …</p>`}
    <//>`;
}
