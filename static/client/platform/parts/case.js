/** A moderation case: the message, the reasons and notes of its flags, and the decision. */

import { html } from "htm/preact";
import { Links, renewOnReturn } from "../links.js";
import { Name } from "../people.js";
import { parley } from "../../state.js";
import { moment } from "../../when.js";
import { Dialog } from "../../parts/dialog.js";
import { Area, Do, Form, Select } from "../../parts/form.js";
import { reasonWords } from "./flag.js";
import { useLoaded } from "../../parts/loaded.js";
import { Media } from "./media.js";
import { Empty, Pending } from "../../parts/page.js";

/** @import { Case, FlagNote, Message } from "../../contracts.js" */

const DECISIONS = [["dismiss", "Dismiss and show the message"], ["hide", "Hide the message"]];

/** The files of the messages in cases, by the ids of the cases; a moderator opens one at a time. */
const caseLinks = new Links(async ([case_id]) =>
  new Map([[case_id, await parley.call("/moderation", "media", { case_id })]]), 1);
renewOnReturn(caseLinks);

/** @param {{case_id: string, message: Message}} props */
function Said({ case_id, message }) {
  const { sender_id, sent_at, deleted, text, media, card } = message;
  const note = /** @type {any} */ (card?.data)?.note;
  return html`
    <div class="message" data-test="flagged">
      <strong><${Name} id=${sender_id ?? ""} /></strong>
      ${deleted && html`<${Empty}>This message was deleted.<//>`}
      ${media
        ? html`<${Media} id=${case_id} media=${media} text=${text} links=${caseLinks} />`
        : html`<p class="prose">${text || note || ""}</p>`}
      <time class="quiet" datetime=${sent_at}>${moment(sent_at)}</time>
    </div>`;
}

/** @param {{one: Case, onClose: () => void}} props */
function Decision({ one, onClose }) {
  const about = { case_id: one.id, version: one.version };
  const decide = async (/** @type {any} */ { decision, note }) => {
    await parley.call("/moderation", "decide", { ...about, decision, note });
    onClose();
  };
  const undo = async () => {
    await parley.call("/moderation", "undo", about);
    onClose();
  };
  if (one.status === "gone") return null;
  if (one.status !== "open") return html`<${Do} action=${undo}>Undo the decision<//>`;
  return html`
    <${Form} submit="Decide" onSubmit=${decide}>
      <${Select} label="Decision" name="decision" options=${DECISIONS} />
      <${Area} label="Note" name="note" required=${false} maxlength="500" />
    <//>`;
}

/** @param {{case_id: string, onClose: () => void}} props */
export function OpenedCase({ case_id, onClose }) {
  const { value, error, load } = useLoaded(
    () => parley.call("/moderation", "case", { case_id }), [case_id]);
  return html`
    <${Dialog} title="Case" onClose=${onClose}>
      ${!value && html`<${Pending} error=${error} retry=${load} />`}
      ${value && html`
        <${Said} case_id=${case_id} message=${value.message} />
        <ul>${value.notes.map((/** @type {FlagNote} */ { reason, note }) => html`
          <li class="prose">${reasonWords(reason)}${note && `: ${note}`}</li>`)}</ul>
        <${Decision} one=${value.case} onClose=${onClose} />`}
    <//>`;
}
