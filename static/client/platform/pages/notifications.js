/** The user's notifications. */

import { html } from "htm/preact";
import { Do } from "../../parts/form.js";
import { Empty, Page, Pending } from "../../parts/page.js";
import { linkOf, loadOlder, markRead, notices } from "../notices.js";
import { moment } from "../../when.js";

/** @import { Notification } from "../../contracts.js" */

/** @param {{notification: Notification}} props */
function Entry({ notification }) {
  const { id, title, body, created_at, read_at } = notification;
  const read = () => void markRead([id]).catch(() => {});
  return html`
    <li class=${`card ${read_at ? "" : "unread"}`} data-test="notification" data-id=${id}
      data-kind=${notification.kind}>
      <div class="card-head">
        <h2><a href=${linkOf(notification)} onClick=${() => read_at || read()}>${title}</a></h2>
        <time class="quiet" datetime=${created_at}>${moment(created_at)}</time>
      </div>
      <p>${body}</p>
      ${!read_at && html`<button type="button" onClick=${read}
        aria-label=${`Mark as read: ${title}`}>Mark as read</button>`}
    </li>`;
}

export function Notifications() {
  const live = notices.value;
  const state = live?.state.value;
  if (!state) {
    return html`<${Page} title="Notifications">
      <${Pending} error=${live?.error.value} retry=${live?.reload} /><//>`;
  }
  const unread = state.notifications.filter(({ read_at }) => !read_at).map(({ id }) => id);
  return html`
    <${Page} title="Notifications" actions=${unread.length > 0 && html`
      <${Do} action=${() => markRead(unread)}>Mark all as read<//>`}>
      ${!state.notifications.length && html`<${Empty}>Nothing yet.<//>`}
      <ul class="cards">${state.notifications.map((one) => html`
        <${Entry} key=${one.id} notification=${one} />`)}</ul>
      ${state.next && html`<${Do} action=${loadOlder}>Show older<//>`}
    <//>`;
}
