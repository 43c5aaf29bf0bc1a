/** A person's picture, or their initials; a group's picture. */

import { html } from "htm/preact";

/** @param {string} name */
const initial = (name) => /^\p{L}/u.exec(name)?.[0].toUpperCase() ?? "";

/** @param {{person: {first_name: string, last_name: string,
 *   profile_picture_url: string | null}}} props */
export function Portrait({ person }) {
  const { first_name, last_name, profile_picture_url } = person;
  if (profile_picture_url) {
    return html`<img class="portrait" src=${`${profile_picture_url}?small`} alt=""
      loading="lazy" />`;
  }
  return html`<span class="portrait" aria-hidden="true">
    ${initial(first_name)}${initial(last_name)}</span>`;
}

/** A group's picture, if it has one. @param {{picture_id?: string | null}} props */
export const GroupPicture = ({ picture_id }) => picture_id && html`
  <img class="portrait" src=${`/pictures/${picture_id}?small`} alt=""
    data-test="group-picture" />`;
