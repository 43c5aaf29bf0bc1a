/** What the user sends in a call: a camera or the screen, and a microphone, which can change. */

import { signal } from "@preact/signals";
import { openMedia } from "../platform/media.js";

/** @typedef {"audio" | "video"} Kind */

export class CallMedia {
  /** What is sent now; a new object for each change. */
  stream = signal(/** @type {MediaStream | null} */ (null));
  complaint = signal("");
  sharing = signal(false);
  devices = signal(/** @type {MediaDeviceInfo[]} */ ([]));

  #changed;
  #closed = false;
  /** The camera's track while the screen is shared. @type {MediaStreamTrack | null} */
  #camera = null;

  /** @param {(stream: MediaStream) => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  async open() {
    const { stream, complaint } = await openMedia();
    if (this.#closed) return stop(stream);
    this.complaint.value = complaint;
    this.#show(stream);
    navigator.mediaDevices?.addEventListener?.("devicechange", this.#look);
    return this.#look();
  }

  close() {
    this.#closed = true;
    globalThis.navigator?.mediaDevices?.removeEventListener?.("devicechange", this.#look);
    this.#camera?.stop();
    stop(this.stream.value);
    this.stream.value = null;
  }

  /** Uses another camera or microphone. @param {Kind} kind @param {string} deviceId */
  async choose(kind, deviceId) {
    const chosen = { deviceId: { exact: deviceId } };
    const opened = await navigator.mediaDevices.getUserMedia({ [kind]: chosen });
    if (this.#closed) return stop(opened);
    if (kind === "video" && this.sharing.value) this.#endSharing();
    return this.#replace(kind, opened.getTracks()[0] ?? null);
  }

  /** Sends the screen instead of the camera, until the user or the browser ends it. */
  async share() {
    const screen = await navigator.mediaDevices.getDisplayMedia({ video: true });
    if (this.#closed) return stop(screen);
    const [track = null] = screen.getVideoTracks();
    this.#camera = this.#track("video");
    this.sharing.value = true;
    this.#replace("video", track, false);
    return track?.addEventListener("ended", () => this.unshare());
  }

  unshare() {
    if (!this.sharing.value || this.#closed) return;
    const camera = this.#camera;
    this.#camera = null;
    this.sharing.value = false;
    this.#replace("video", camera);
  }

  #endSharing() {
    this.#camera?.stop();
    this.#camera = null;
    this.sharing.value = false;
  }

  /** Lists the devices; one that was unplugged is replaced by another of its kind. */
  #look = async () => {
    const found = await navigator.mediaDevices?.enumerateDevices?.() ?? [];
    if (this.#closed) return;
    this.devices.value = found.filter(({ deviceId }) => deviceId);
    for (const kind of /** @type {Kind[]} */ (["audio", "video"])) {
      const track = this.#track(kind);
      const next = found.find((device) => device.kind === `${kind}input`);
      if (track?.readyState === "ended" && next) await this.choose(kind, next.deviceId);
    }
  };

  /** @param {Kind} kind */
  #track = (kind) =>
    this.stream.value?.getTracks().find((track) => track.kind === kind) ?? null;

  /** @param {Kind} kind @param {MediaStreamTrack | null} track */
  #replace(kind, track, stopOld = true) {
    const old = this.#track(kind);
    if (old && track) track.enabled = old.enabled;
    if (stopOld) old?.stop();
    const others = (this.stream.value?.getTracks() ?? []).filter((one) => one !== old);
    this.#show(new MediaStream(track ? [...others, track] : others));
  }

  /** @param {MediaStream | null} stream */
  #show(stream) {
    this.stream.value = stream;
    if (stream) this.#changed(stream);
  }
}

/** @param {MediaStream | null} stream */
const stop = (stream) => stream?.getTracks().forEach((track) => track.stop());
