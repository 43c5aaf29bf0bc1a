/** Reporting a message to the moderators. */

import { html } from "htm/preact";
import { parley, said } from "../../state.js";
import { Dialog } from "../../parts/dialog.js";
import { Area, Form, Select } from "../../parts/form.js";

/** @type {[value: string, title: string][]} */
const REASONS = [
  ["spam", "Spam"], ["harassment", "Harassment"], ["hate", "Hate speech"],
  ["sexual", "Sexual content"], ["violence", "Violence"], ["illegal", "Illegal content"],
  ["other", "Something else"],
];

/** @param {string} reason */
export const reasonWords = (reason) => REASONS.find(([value]) => value === reason)?.[1] ?? reason;

/** @param {{message_id: string, onClose: () => void}} props */
export function Flag({ message_id, onClose }) {
  const submit = async (/** @type {any} */ { reason, note }) => {
    await parley.call("/moderation", "flag", { message_id, reason, note });
    said.value = "Thank you. A moderator will review this message.";
    onClose();
  };
  return html`
    <${Dialog} title="Flag message" onClose=${onClose}>
      <${Form} submit="Flag" onSubmit=${submit}>
        <${Select} label="Reason" name="reason" options=${REASONS} />
        <${Area} label="What is wrong with this message?" name="note" required=${false}
          maxlength="500" />
      <//>
    <//>`;
}
