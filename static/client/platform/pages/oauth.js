/** The return from a provider, with a ticket or an error. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { forget, returned } from "../../parley/oauth.js";
import { Do, Field, Form } from "../../parts/form.js";
import { Page, Refusal } from "../../parts/page.js";
import { go, goWhereWanted, pretend, query } from "../../router.js";
import { me, parley } from "../../state.js";
import { zone } from "../../when.js";

/** The proof to send with a ticket; null if this tab did not start the sign-in, because the ticket
 * may then be another user's. */
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
    pretend("/oauth"); // keeps the ticket out of the browser's history
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
    // Forget the failed attempt, because the next ticket could be another user's.
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
