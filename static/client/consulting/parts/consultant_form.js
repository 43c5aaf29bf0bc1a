/** The fields of a consultant's profile. */

import { html } from "htm/preact";
import { Area, Field, Select } from "../../parts/form.js";
import { PictureField, pictureOf } from "../../platform/parts/picture.js";
import { countryOptions, languageOptions, zoneOptions } from "../../parts/places.js";
import { me } from "../../state.js";
import { zone } from "../../when.js";

/** @import { Consultant, Gender } from "../../contracts.js" */

/** @type {[Gender, string][]} */
const GENDERS = [
  ["undisclosed", "I prefer not to say"], ["female", "Female"], ["male", "Male"],
  ["nonbinary", "Non-binary"],
];

/** The request of a form: empty fields are removed, and a chosen picture is uploaded.
 * @param {FormData} data */
export async function consultantForm(data) {
  const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
  return {
    about_me: text("about_me"), country: text("country"), time_zone: text("time_zone"),
    languages: data.getAll("languages").map(String),
    gender: /** @type {Gender} */ (text("gender")),
    age: text("age") ? Number(text("age")) : null,
    ...await pictureOf(data, "picture_id"),
  };
}

/** @param {{chosen: string[]}} props */
const Languages = ({ chosen }) => html`
  <fieldset class="many">
    <legend>Languages</legend>
    ${languageOptions().map(([code, name]) => html`
      <label key=${code}>
        <input type="checkbox" name="languages" value=${code} checked=${chosen.includes(code)} />
        ${" "}${name}</label>`)}
  </fieldset>`;

/** @param {{person?: Consultant}} props */
export const ConsultantFields = ({ person }) => html`
  <${Area} label="About you" name="about_me" value=${person?.about_me} maxlength="5000" />
  <${Languages} chosen=${person?.languages ?? [me.value?.language ?? "en"]} />
  <${Select} label="Country" name="country" options=${countryOptions()}
    value=${person?.country ?? "US"} />
  <${Select} label="Time zone" name="time_zone" options=${zoneOptions()}
    value=${person?.time_zone ?? zone} />
  <${Field} label="Age" name="age" type="number" min="18" max="120" required=${false}
    value=${person?.age ?? ""} />
  <${Select} label="Gender" name="gender" options=${GENDERS}
    value=${person?.gender ?? "undisclosed"} />
  <${PictureField} key=${person?.profile_picture_url} label="Your picture" name="picture_id"
    address=${person?.profile_picture_url} />`;
