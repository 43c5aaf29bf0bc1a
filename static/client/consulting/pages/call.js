/** A video call: both videos, the state of the connection, and at the end the duration. */

import { html } from "htm/preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Do } from "../../parts/form.js";
import { Page, Pending, Refusal } from "../../parts/page.js";
import { CallState } from "../call_state.js";
import { lastAbout, told } from "../../platform/notices.js";
import { returnToCall } from "../parts/booking.js";
import { Name } from "../../platform/people.js";
import { go } from "../../router.js";
import { myId, parley } from "../../state.js";
import { minutes } from "../../when.js";

/** @import { Access, Call } from "../../contracts.js" */
/** @import { CallMedia } from "../call_media.js" */

/** A video. It shows a button if the browser forbids sound before the user interacts with the page.
 * @param {{stream: MediaStream | null, label: string, muted?: boolean, name: string}} props */
function Video({ stream, label, muted = false, name }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const forbidden = useSignal(false);
  const play = () => video.current?.play().then(() => (forbidden.value = false),
    (refusal) => (forbidden.value = refusal.name === "NotAllowedError"));
  useEffect(() => {
    if (!video.current) return;
    video.current.srcObject = stream;
    if (stream) void play();
  }, [stream]);
  return html`<video ref=${video} class=${name} aria-label=${label} data-test=${name}
      autoplay playsinline muted=${muted}></video>
    ${forbidden.value && html`<button type="button" class="primary play" onClick=${play}>
      Play video and sound</button>`}`;
}

/** @param {{stream: MediaStream | null, kind: "audio" | "video", title: string}} props */
function Switch({ stream, kind, title }) {
  const on = useSignal(true);
  const track = stream?.getTracks().find((one) => one.kind === kind);
  if (!track) return null;
  const turn = () => (track.enabled = on.value = !on.value);
  return html`<button type="button" role="switch" aria-checked=${on.value} onClick=${turn}>
    ${title} ${on.value ? "on" : "off"}</button>`;
}

/** Chooses one of several cameras or microphones.
 * @param {{media: CallMedia, kind: "audio" | "video", title: string}} props */
function Chooser({ media, kind, title }) {
  const found = media.devices.value.filter((device) => device.kind === `${kind}input`);
  const track = media.stream.value?.getTracks().find((one) => one.kind === kind);
  if (found.length < 2 || !track) return null;
  const choose = (/** @type {any} */ { target }) =>
    void media.choose(kind, target.value).catch(console.warn);
  return html`<label>${title}
    <select onChange=${choose} value=${track.getSettings?.().deviceId}>
      ${found.map(({ deviceId, label }) => html`<option value=${deviceId}>${label}</option>`)}
    </select></label>`;
}

/** @param {{media: CallMedia}} props */
function ShareScreen({ media }) {
  if (!navigator.mediaDevices?.getDisplayMedia || !media.stream.value) return null;
  if (media.sharing.value) {
    return html`<button type="button" onClick=${() => media.unshare()}>Stop sharing</button>`;
  }
  const share = () => void media.share().catch(() => {}); // the user chose nothing
  return html`<button type="button" onClick=${share}>Share screen</button>`;
}

const QUALITY = { good: "good", poor: "poor", bad: "bad" };
const PATH = { direct: "direct", relay: "through a relay", server: "through a video service" };

/** @param {CallState} state */
const weak = (state) =>
  Object.entries(state.quality.value).filter(([, word]) => word !== "good");

/** Tells of connections that are not good.
 * @param {{state: CallState}} props */
const Connections = ({ state }) => html`
  <div role="status" data-test="quality" data-audio=${state.audioOnly.value}>
    ${weak(state).map(([id, word]) => html`
      <p data-test="connection" data-quality=${word}>
        ${id === myId() ? "Your connection" : "The other person's connection"} is
        ${" "}${QUALITY[word]}.</p>`)}
    ${state.audioOnly.value && html`
      <p>Your video is paused, so that the sound gets through.
        <button type="button" onClick=${() => state.resumeVideo()}>Send video again</button></p>`}
  </div>`;

/** Where the video of a call is that another service carries.
 * @param {{call: Call, access: Access | null}} props */
function Elsewhere({ call, access }) {
  if (call.provider === "browser") return null;
  if (call.provider !== "jitsi" || !access?.url) {
    return html`<p>The video of this call uses ${call.provider}, which this page cannot show.
      Join with an app that can.</p>`;
  }
  const url = `${access.url.replace(/\/$/, "")}/${access.room}?jwt=${access.token}`;
  return html`<p><a class="button primary" href=${url} target="_blank" rel="noopener noreferrer">
    Open the video</a></p>`;
}

/** The connections of both users, summed up after the call. @param {{call: Call}} props */
function Summary({ call }) {
  const found = useSignal(/** @type {any[]} */ ([]));
  useEffect(() => {
    parley.call("/call", "quality", { call_id: call.id })
      .then(({ connections }) => (found.value = connections)).catch(() => {});
  }, []);
  return found.value.map((one) => html`
    <p class="quiet" data-test="summary">
      ${one.user_id === myId() ? "Your connection" : "The other person's connection"}:
      ${" "}${Math.round(one.loss * 1000) / 10} % lost, ${one.round_trip_ms} ms round trip,
      ${" "}${PATH[/** @type {"direct"} */ (one.path)]}</p>`);
}

/** @param {{base_s: number, since: number | null}} props */
function Clock({ base_s, since }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const talked_s = base_s + (since === null ? 0 : Math.max(0, now.value - since) / 1000);
  return html`<p class="quiet" data-test="clock">${minutes(talked_s)}</p>`;
}

/** @param {{talked_s?: number, about?: any, children?: any}} props */
const Over = ({ talked_s, about, children }) => html`
  <${Page} title="The call has ended">
    ${talked_s !== undefined && html`
      <div class="card center" role="status">
        <p>You talked for</p>
        <p class="big" data-test="talked" data-seconds=${talked_s}>${minutes(talked_s)}</p>
      </div>`}
    ${about}
    <div class="actions">
      ${children}
      <a class="button" href="#/bookings">Your bookings</a>
    </div>
  <//>`;

/** @param {{call: Call}} props */
function Ended({ call }) {
  const block = useSignal(/** @type {string | null} */ (null));
  const consultant = call.consultant_id === myId();
  useEffect(() => {
    if (!consultant) return;
    parley.call("/booking", "get", { booking_id: call.booking_id })
      .then((booking) => (block.value = booking.block_id)).catch(() => {});
  }, []);
  return html`
    <${Over} talked_s=${call.talked_s} about=${html`<${Summary} call=${call} />`}>
      ${(call.end_reason === "lost" || call.end_reason === "left") && html`
        <${Do} class="primary" action=${() => returnToCall(call.booking_id)}>
          Return to the call<//>`}
      ${block.value && html`
        <a class="button primary" href=${`#/queue/${block.value}`}>Back to the queue</a>`}
    <//>`;
}

const LINE = {
  waiting: "Waiting for the other person …",
  talking: "Connected",
  interrupted: "The connection was lost. The call stays open for a minute …",
};

/** @param {{id: string}} props */
export function CallPage({ id }) {
  const visits = useSignal(0);
  const state = useMemo(() => new CallState(id), [id, visits.value]);
  useEffect(() => {
    state.enter();
    return () => state.leavePage();
  }, [state]);
  const call = state.call.value;
  if (state.moved.value) {
    return html`
      <${Page} title="Call">
        <p role="status">This call continues on another of your devices.</p>
        <div class="actions">
          <button type="button" class="primary" onClick=${() => visits.value++}>
            Continue here</button>
        </div>
      <//>`;
  }
  if (!call && state.error.value?.code === "CALL_OVER") {
    return html`<${Over} talked_s=${told(lastAbout("call_id", id)?.data).talked_s} />`;
  }
  if (!call) {
    return html`<${Page} title="Call"><${Pending} error=${state.error.value}
      retry=${() => state.join()} /><//>`;
  }
  if (call.status === "ended") return html`<${Ended} call=${call} />`;
  const other = call.consultant_id === myId() ? call.student_id : call.consultant_id;
  return html`
    <${Page} title="Call">
      <p>With <${Name} id=${other} /></p>
      <p role="status" data-test="line" data-line=${state.line.value}>${LINE[state.line.value]}</p>
      <div class="stage" data-test="stage" data-link=${state.link.value}>
        <${Video} name="remote" stream=${state.remote.value} label="The other person" />
        <${Video} name="local" stream=${state.local.value} label="You" muted />
      </div>
      ${state.complaint.value && html`<p role="alert">${state.complaint.value}</p>`}
      ${state.error.value && html`<${Refusal} error=${state.error.value} />`}
      <${Connections} state=${state} />
      <${Elsewhere} call=${call} access=${state.access.value} />
      <${Clock} base_s=${state.base_s.value} since=${state.since.value} />
      <div class="actions">
        <${Switch} stream=${state.local.value} kind="audio" title="Microphone" />
        <${Switch} stream=${state.local.value} kind="video" title="Camera" />
        <${ShareScreen} media=${state.media} />
        <${Chooser} media=${state.media} kind="audio" title="Microphone" />
        <${Chooser} media=${state.media} kind="video" title="Camera" />
        <${Do} action=${() => state.leave().then(() => go("/bookings"))}>Leave for now<//>
        <${Do} class="primary" action=${() => state.end()}>End the call<//>
      </div>
    <//>`;
}
