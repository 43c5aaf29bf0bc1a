/** The page: its frame, which page is shown, and what is said across all of them. */

import { html, render } from "htm/preact";
import { effect } from "@preact/signals";
import { Shell } from "./parts/shell.js";
import { startCalls } from "./consulting/calls.js";
import { startChats } from "./platform/chats.js";
import { startNotices } from "./platform/notices.js";
import { placeIn } from "./platform/messages.js";
import { own } from "./parley/own.js";
import { path, query, visit } from "./router.js";
import { me } from "./state.js";
import { Page } from "./parts/page.js";
import { Bookings } from "./consulting/pages/bookings.js";
import { CallPage } from "./consulting/pages/call.js";
import { Chat } from "./platform/pages/chat.js";
import { Chats } from "./platform/pages/chats.js";
import { Consultant } from "./consulting/pages/consultant.js";
import { Consultants } from "./consulting/pages/consultants.js";
import { Consulting } from "./consulting/pages/consulting.js";
import { Forgot } from "./platform/pages/forgot.js";
import { Login } from "./platform/pages/login.js";
import { OAuth } from "./platform/pages/oauth.js";
import { Moderation } from "./platform/pages/moderation.js";
import { Notifications } from "./platform/pages/notifications.js";
import { Profile } from "./platform/pages/profile.js";
import { SchedulePage } from "./consulting/pages/schedule.js";
import { Signup } from "./platform/pages/signup.js";
import { QueuePage, WaitingRoom } from "./consulting/pages/waiting_room.js";

const Lost = () => html`
  <${Page} title="Not found"><p>There is no such page. <a href="#/">Consultants</a></p><//>`;

/** @typedef {(id: string, more: string) => any} Show */

/** @type {Record<string, Show>} */
const FOR_ALL = {
  "": () => html`<${Consultants} />`,
  consultants: (id, block_id) => (id
    ? html`<${Consultant} id=${id} block_id=${block_id} />` : html`<${Consultants} />`),
  forgot: () => html`<${Forgot} />`,
  login: () => html`<${Login} />`,
  oauth: () => html`<${OAuth} />`,
  signup: () => html`<${Signup} />`,
};

/** @type {Record<string, Show>} */
const FOR_PEOPLE = {
  bookings: (id) => html`<${Bookings} id=${id} />`,
  calls: (id) => html`<${CallPage} id=${id} />`,
  chats: (id) => (id ? html`<${Chat} id=${id} at=${placeIn(query())} />` : html`<${Chats} />`),
  consulting: () => html`<${Consulting} />`,
  moderation: () => html`<${Moderation} />`,
  notifications: () => html`<${Notifications} />`,
  profile: () => html`<${Profile} />`,
  queue: (id) => html`<${QueuePage} id=${id} />`,
  week: () => html`<${SchedulePage} />`,
  "waiting-room": (id) => html`<${WaitingRoom} id=${id} />`,
};

function shown() {
  const [name = "", id = "", more = ""] = path.value;
  const forAll = own(FOR_ALL, name);
  if (forAll) return forAll(id, more);
  const forPeople = own(FOR_PEOPLE, name);
  if (!forPeople) return html`<${Lost} />`;
  return me.value ? forPeople(id, more) : html`<${Login} />`;
}

/** Another person or another arrival is another page: nothing of the last one stays. */
const App = () => html`
  <${Shell}>
    <main id="main" key=${`${me.value?.id} ${visit.value}`}>${shown()}</main>
  <//>`;

effect(() => void (document.documentElement.dataset.theme = me.value?.settings.theme ?? "system"));

/** @type {string | undefined} */
let served;
effect(() => {
  const id = me.value?.id;
  if (id === served) return;
  served = id;
  // Read outside the effect: what these load must not start them again.
  queueMicrotask(() => {
    startCalls();
    startChats();
    startNotices();
  });
});

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
