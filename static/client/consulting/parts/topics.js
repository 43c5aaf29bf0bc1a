/** Topics with their prices, and the actions that the page adds to each. */

import { html } from "htm/preact";
import { price } from "../../money.js";

/** @import { Topic } from "../../contracts.js" */

/** @param {{topics: Topic[], actions?: (topic: Topic) => any}} props */
export const Topics = ({ topics, actions }) => html`
  <ul class="cards">${topics.map((topic) => html`
    <li key=${topic.id} class="card" data-test="topic" data-id=${topic.id}>
      <div class="card-head">
        <h3>${topic.icon_url && html`<img class="icon" src=${`${topic.icon_url}?small`} alt="" />`}
          ${topic.name}</h3>
        <strong>${price(topic.hourly_rate)} per hour</strong>
      </div>
      <p class="prose">${topic.description}</p>
      <p class="quiet">At least ${topic.minimal_duration_minutes} minutes</p>
      ${actions && html`<div class="actions">${actions(topic)}</div>`}
    </li>`)}</ul>`;
