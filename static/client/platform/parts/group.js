/** Creating a group, its members, and the actions of its owners. */

import { html } from "htm/preact";
import { Dialog } from "../../parts/dialog.js";
import { Do, Field, Form, Select } from "../../parts/form.js";
import { Empty } from "../../parts/page.js";
import { ChoosePicture } from "./picture.js";
import { chats, dropChat, noteConversation } from "../chats.js";
import { Name, nameOf, useNames } from "../people.js";
import { Dot } from "../presence.js";
import { go } from "../../router.js";
import { me, myId, parley } from "../../state.js";

/** @import { ListedConversation } from "../../contracts.js" */

/** @param {ListedConversation} chat */
export const isOwner = (chat) => chat.owner_ids.includes(myId());

/** People with whom the user has a conversation. */
function acquaintances() {
  const people = new Set((chats.value ?? []).flatMap(({ member_ids }) => member_ids));
  return [...people].filter((id) => id !== me.value?.id);
}

/** @param {{onClose: () => void}} props */
export function NewGroup({ onClose }) {
  const people = acquaintances();
  useNames(people);
  const submit = async (/** @type {any} */ { name }, /** @type {FormData} */ data) => {
    const member_ids = data.getAll("member_ids").map(String);
    const group = await parley.call("/chat", "create_group", { name, member_ids });
    noteConversation(group);
    go(`/chats/${group.id}`);
  };
  return html`
    <${Dialog} title="New group" onClose=${onClose}>
      <${Form} submit="Create group" onSubmit=${submit}>
        <${Field} label="Name" name="name" maxlength="100" />
        <fieldset class="many">
          <legend>Members</legend>
          ${!people.length && html`<${Empty}>People whom you have messaged appear here.<//>`}
          ${people.map((id) => html`
            <label key=${id}><input type="checkbox" name="member_ids" value=${id} />
              ${" "}${nameOf(id)}</label>`)}
        </fieldset>
      <//>
    <//>`;
}

/** @param {{chat: ListedConversation}} props */
function AddMember({ chat }) {
  const people = acquaintances().filter((id) => !chat.member_ids.includes(id));
  useNames(people);
  if (!people.length) return null;
  const submit = async (/** @type {any} */ { user_id }) =>
    noteConversation(await parley.call("/chat", "add_member",
      { conversation_id: chat.id, user_id }));
  return html`
    <${Form} submit="Add member" onSubmit=${submit} quiet>
      <${Select} label="Person" name="user_id" options=${people.map((id) => [id, nameOf(id)])} />
    <//>`;
}

/** The form for the group's name and picture, for owners only.
 * @param {{chat: ListedConversation}} props */
function Looks({ chat }) {
  const conversation_id = chat.id;
  const rename = async (/** @type {any} */ { name }) =>
    noteConversation(await parley.call("/chat", "rename", { conversation_id, name }));
  const set = async (/** @type {string | null} */ upload_id) =>
    noteConversation(await parley.call("/chat", "set_picture", { conversation_id, upload_id }));
  return html`
    <${Form} submit="Rename" onSubmit=${rename} label="Rename the group" quiet>
      <${Field} label="Name" name="name" value=${chat.name ?? ""} maxlength="100" />
    <//>
    <${ChoosePicture} id=${chat.picture_id} alt="The group's picture" set=${set} />`;
}

/** An owner's actions on a member. @param {{chat: ListedConversation, id: string}} props */
function Tools({ chat, id }) {
  const conversation_id = chat.id;
  const owner = chat.owner_ids.includes(id);
  const whom = id === myId() ? "yourself" : nameOf(id);
  const remove = async () =>
    noteConversation(await parley.call("/chat", "remove_member", { conversation_id, user_id: id }));
  const setRole = async () => {
    const role = owner ? "member" : "owner";
    const ask = /** @type {const} */ ({ conversation_id, user_id: id, role });
    noteConversation(await parley.call("/chat", "set_role", ask));
  };
  return html`
    <span class="actions">
      <${Do} action=${setRole} aria-label=${owner
        ? `Make ${whom} a regular member` : `Make ${whom} an owner`}>
        ${owner ? "Make regular member" : "Make owner"}<//>
      ${id !== myId() && html`<${Do} action=${remove}
        aria-label=${`Remove ${whom}`}>Remove<//>`}
    </span>`;
}

/** @param {{chat: ListedConversation, onClose: () => void}} props */
export function Members({ chat, onClose }) {
  const conversation_id = chat.id;
  const owning = isOwner(chat);
  const leave = async () => {
    await parley.call("/chat", "leave", { conversation_id });
    dropChat(conversation_id);
    go("/chats");
  };
  return html`
    <${Dialog} title="Members" onClose=${onClose}>
      ${owning && html`<${Looks} chat=${chat} />`}
      <ul class="list">${chat.member_ids.map((id) => html`
        <li key=${id} data-test="member" data-id=${id}>
          <span><${Name} id=${id} /> <${Dot} id=${id} />
            ${chat.owner_ids.includes(id) && html`${" "}<span class="tag">Owner</span>`}</span>
          ${owning && html`<${Tools} chat=${chat} id=${id} />`}
        </li>`)}</ul>
      <${AddMember} chat=${chat} />
      <p><${Do} action=${leave}>Leave the group<//></p>
    <//>`;
}
