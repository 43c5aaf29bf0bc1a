/** The page: its frame, which page is shown, and what is said across all of them. */

import { html, render } from "htm/preact";
import { effect } from "@preact/signals";
import { Shell } from "./parts/shell.js";
import { startCalls } from "./calls.js";
import { startChats } from "./chats.js";
import { startNotices } from "./notices.js";
import { placeIn } from "./messages.js";
import { own } from "./parley/own.js";
import { path, query, visit } from "./router.js";
import { me } from "./state.js";
import { Page } from "./parts/page.js";
import { Bookings } from "./pages/bookings.js";
import { CallPage } from "./pages/call.js";
import { Chat } from "./pages/chat.js";
import { Chats } from "./pages/chats.js";
import { Consultant } from "./pages/consultant.js";
import { Consultants } from "./pages/consultants.js";
import { Consulting } from "./pages/consulting.js";
import { Forgot } from "./pages/forgot.js";
import { Login } from "./pages/login.js";
import { OAuth } from "./pages/oauth.js";
import { Moderation } from "./pages/moderation.js";
import { Notifications } from "./pages/notifications.js";
import { Profile } from "./pages/profile.js";
import { SchedulePage } from "./pages/schedule.js";
import { Signup } from "./pages/signup.js";
import { QueuePage, WaitingRoom } from "./pages/waiting_room.js";

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
