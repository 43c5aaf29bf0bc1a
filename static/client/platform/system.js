/** The platform's part of the page: accounts, conversations, notifications and moderation. */

import { html } from "htm/preact";
import { isModerator, me } from "../state.js";
import { later } from "../systems.js";
import { query } from "../router.js";
import { startChats, unreadMessages } from "./chats.js";
import { placeIn } from "./messages.js";
import { linkOf, markRead, newest, notices, startNotices } from "./notices.js";

/** @import { System } from "../systems.js" */

const Chat = later(async () => (await import("./pages/chat.js")).Chat);
const Chats = later(async () => (await import("./pages/chats.js")).Chats);
const Forgot = later(async () => (await import("./pages/forgot.js")).Forgot);
const Login = later(async () => (await import("./pages/login.js")).Login);
const Moderation = later(async () => (await import("./pages/moderation.js")).Moderation);
const Notifications = later(async () => (await import("./pages/notifications.js")).Notifications);
const OAuth = later(async () => (await import("./pages/oauth.js")).OAuth);
const Profile = later(async () => (await import("./pages/profile.js")).Profile);
const Signup = later(async () => (await import("./pages/signup.js")).Signup);

/** @param {{id: string}} props */
const Conversations = ({ id }) =>
  (id ? html`<${Chat} id=${id} at=${placeIn(query())} />` : html`<${Chats} />`);

/** A banner with the newest notification, in a polite live region, and a button to dismiss it. */
function NewNotification() {
  const notification = newest.value;
  const away = () => (newest.value = null);
  const follow = () => {
    away();
    if (notification) markRead([notification.id]).catch(() => {});
  };
  return html`
    <div aria-live="polite">${notification && html`
      <p class="banner" data-test="new-notification">
        <a href=${linkOf(notification)} onClick=${follow}>${notification.title}</a>
        ${" "}<button type="button" class="plain" aria-label="Dismiss" onClick=${away}>✕</button>
      </p>`}</div>`;
}

function links() {
  if (!me.value) {
    return [{ to: "login", title: "Log in", at: 90 }, { to: "signup", title: "Sign up", at: 91 }];
  }
  const unread = notices.value?.state.value?.unread ?? 0;
  return [
    { to: "chats", title: "Chats", at: 20, count: unreadMessages.value },
    { to: "notifications", title: "Notifications", at: 30, count: unread },
    ...(isModerator() ? [{ to: "moderation", title: "Moderation", at: 50 }] : []),
    { to: "profile", title: me.value.first_name || "Profile", at: 90 },
  ];
}

/** @param {string} id */
const byId = (id) => ({ id });

/** @type {System} */
export const system = {
  pages: {
    "": { Shown: Conversations, props: byId },
    chats: { Shown: Conversations, props: byId },
    forgot: { Shown: Forgot, visitors: true },
    login: { Shown: Login, visitors: true },
    moderation: { Shown: Moderation },
    notifications: { Shown: Notifications },
    oauth: { Shown: OAuth, visitors: true },
    profile: { Shown: Profile },
    signup: { Shown: Signup, visitors: true },
  },
  links,
  start() {
    startChats();
    startNotices();
  },
  Banner: NewNotification,
};
