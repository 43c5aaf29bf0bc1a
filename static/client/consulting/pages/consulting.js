/** The consultant's own page: profile, topics and availability; or the form to become one. */

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ConsultantFields, consultantForm } from "../parts/consultant_form.js";
import { Check, Do, Form, useAction } from "../../parts/form.js";
import { Page, Pending, Refusal } from "../../parts/page.js";
import { EditTopics } from "../parts/topic_form.js";
import { useBlocks } from "../blocks.js";
import { current } from "../calls.js";
import { useConsultant } from "./consultant.js";
import { isConsultant, me, myId, parley } from "../../state.js";

/** @import { Consultant, User } from "../../contracts.js" */

function Become() {
  const submit = async (/** @type {any} */ _, /** @type {FormData} */ data) => {
    await parley.call("/consultants", "become", await consultantForm(data));
    const user = /** @type {User} */ (me.value);
    // Show the role at once; the next `/profile me` confirms it.
    const others = user.roles.filter((role) => role !== "consultant");
    me.value = { ...user, roles: [...others, "consultant"] };
  };
  return html`
    <${Page} title="Become a consultant">
      <p>Introduce yourself to students. You can add topics and times next.</p>
      <${Form} submit="Become a consultant" onSubmit=${submit} label="Become a consultant">
        <${ConsultantFields} />
      <//>
    <//>`;
}

function AvailableNow() {
  const { state } = useBlocks(myId());
  const back = useSignal(true);
  const turned = useSignal(/** @type {boolean | null} */ (null));
  /** Whether the user will be available after what prevents it now. */
  const later = useSignal(false);
  const told = state.value?.available_now;
  useEffect(() => {
    turned.value = null;
    later.value = false;
  }, [told]);
  const shown = turned.value ?? !!told;
  // During a call, `available` only sets what happens after it.
  const keep = useAction(async (/** @type {boolean} */ again) => {
    back.value = again;
    const available = current.value?.consultant_id === myId() ? again : shown;
    try {
      await parley.call("/availability", "set_available_now",
        { available, back_after_call: again });
    } catch (refusal) {
      back.value = !again;
      throw refusal;
    }
  });
  const { run, busy, error } = useAction(async (/** @type {boolean} */ available) => {
    // The switch keeps its new position until the event confirms it.
    turned.value = available;
    try {
      const now = await parley.call("/availability", "set_available_now",
        { available, back_after_call: back.value });
      later.value = available && !now.available;
      if (later.value) turned.value = null;
    } catch (refusal) {
      turned.value = null;
      throw refusal;
    }
  });
  return html`
    <${Check} label="Available now" role="switch" checked=${shown}
      disabled=${!state.value} aria-disabled=${busy.value}
      onClick=${(/** @type {Event} */ event) => busy.value && event.preventDefault()}
      onChange=${(/** @type {any} */ event) => run(event.currentTarget.checked)} />
    ${later.value && html`
      <p role="status">You will be available after your call, or when you are visible again.</p>`}
    <${Check} label="Available again after each call" checked=${back.value}
      disabled=${!state.value} aria-disabled=${keep.busy.value}
      onClick=${(/** @type {Event} */ event) => keep.busy.value && event.preventDefault()}
      onChange=${(/** @type {any} */ event) => keep.run(event.currentTarget.checked)} />
    <${Refusal} error=${error.value ?? keep.error.value} />`;
}

/** @param {{person: Consultant}} props */
function EditProfile({ person }) {
  const saved = useSignal(false);
  const submit = async (/** @type {any} */ _, /** @type {FormData} */ data) => {
    saved.value = false;
    await parley.call("/consultants", "update", await consultantForm(data));
    saved.value = true;
  };
  return html`
    <details>
      <summary>Edit profile</summary>
      <${Form} submit="Save profile" onSubmit=${submit} label="Consultant profile">
        <${ConsultantFields} person=${person} />
      <//>
      <p role="status">${saved.value ? "Saved." : ""}</p>
    </details>`;
}

function Own() {
  const { state, error, reload } = useConsultant(myId());
  const person = state.value;
  if (!person) {
    return html`<${Page} title="Your consulting">
      <${Pending} error=${error.value} retry=${reload} /><//>`;
  }
  const stop = () => parley.call("/consultants", "stop", {});
  return html`
    <${Page} title="Your consulting">
      <p>You are <span class="tag" data-test="consultant-status">${person.status}</span>.
        ${" "}<a href=${`#/consultants/${person.id}`}>View your page as students see it</a></p>
      <h2>Right now</h2>
      <${AvailableNow} />
      <h2>Times</h2>
      <p><a class="button" href="#/week">Set your weekly times</a></p>
      <h2>Topics</h2>
      <${EditTopics} topics=${person.topics.filter(({ active }) => active)} />
      <h2>Profile</h2>
      <${EditProfile} person=${person} />
      ${person.status === "active" && html`
        <details>
          <summary>Stop consulting</summary>
          <p>Students will no longer find or book you.</p>
          <${Do} action=${stop}>Stop consulting<//>
        </details>`}
    <//>`;
}

export const Consulting = () => (isConsultant() ? html`<${Own} />` : html`<${Become} />`);
