/** The frame around every page: navigation, connection, the call at hand, new notifications. */

import { html } from "htm/preact";
import { current } from "../consulting/calls.js";
import { unreadMessages } from "../platform/chats.js";
import { linkOf, markRead, newest, notices } from "../platform/notices.js";
import { path } from "../router.js";
import { connected, isModerator, me, said } from "../state.js";

/** @param {{to: string, children?: any, count?: number}} props */
function Link({ to, children, count = 0 }) {
  const here = path.value[0] === to || (to === "" && path.value[0] === "consultants");
  return html`
    <a href=${`#/${to}`} aria-current=${here ? "page" : undefined}>${children}
      ${count > 0 && html`${" "}<span class="badge" data-test=${`${to}-badge`}
        aria-label=${`${count} unread`}>${count}</span>`}</a>`;
}

const Nav = () => html`
  <nav aria-label="Main">
    <${Link} to="">Consultants<//>
    ${me.value ? html`
      <${Link} to="bookings">Bookings<//>
      <${Link} to="chats" count=${unreadMessages.value}>Chats<//>
      <${Link} to="notifications" count=${notices.value?.state.value?.unread ?? 0}>
        Notifications<//>
      <${Link} to="consulting">Consulting<//>
      ${isModerator() && html`<${Link} to="moderation">Moderation<//>`}
      <${Link} to="profile">${me.value.first_name || "Profile"}<//>`
    : html`<${Link} to="login">Log in<//><${Link} to="signup">Sign up<//>`}
  </nav>`;

function CallAtHand() {
  const call = current.value;
  if (!call || (path.value[0] === "calls" && path.value[1] === call.id)) return null;
  return html`
    <p class="banner call" role="status" data-test="call-ready">Your call is ready.
      ${" "}<a class="button primary" href=${`#/calls/${call.id}`}>Join the call</a></p>`;
}

/** Said politely, and put away by its own button. */
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

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

/** @param {{children?: any}} props */
export const Shell = ({ children }) => html`
  <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
  <header class="top">
    <a class="brand" href="#/">Parley</a>
    <${Nav} />
  </header>
  <div role="status">
    ${!connected.value && html`<p class="banner warning" data-test="offline">
      The connection is lost. It will be back by itself.</p>`}
    ${said.value && html`<p class="banner">${said.value}
      ${" "}<button type="button" class="plain" aria-label="Dismiss"
        onClick=${() => (said.value = "")}>✕</button></p>`}
  </div>
  <${CallAtHand} />
  <${NewNotification} />
  ${children}`;
