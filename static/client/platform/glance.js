/** Finds the duration of a recording or a video, and makes the poster of a video. */

const PATIENCE_MS = 10_000;
const SIDE_MAX = 640;
/** The position of the poster; the first frames of a video are often black. */
const INTO_S = 1;

/** @typedef {{duration_ms: number | null, poster: Blob | null}} Glance */

/** @param {HTMLMediaElement} player @param {string} event */
function heard(player, event) {
  return new Promise((resolve, reject) => {
    player.addEventListener(event, resolve, { once: true });
    player.addEventListener("error", reject, { once: true });
    setTimeout(reject, PATIENCE_MS);
  });
}

/** @param {HTMLMediaElement} player @param {number} seconds */
async function seek(player, seconds) {
  const there = heard(player, "seeked");
  player.currentTime = seconds;
  await there;
}

/** @param {HTMLVideoElement} video @returns {Promise<Blob | null>} */
function picture(video) {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, SIDE_MAX / Math.max(videoWidth, videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(videoWidth * scale));
  canvas.height = Math.max(1, Math.round(videoHeight * scale));
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

/** @param {HTMLMediaElement} player @returns {Promise<Glance>} */
async function look(player) {
  await heard(player, "loadeddata");
  // A browser's own recording has no duration; after a seek to its end, the duration is known.
  if (player.duration === Infinity) await seek(player, Number.MAX_SAFE_INTEGER);
  const { duration } = player;
  const duration_ms = Number.isFinite(duration) ? Math.round(duration * 1000) : null;
  if (!(player instanceof HTMLVideoElement) || !player.videoWidth) {
    return { duration_ms, poster: null };
  }
  await seek(player, Math.min(INTO_S, (duration || 0) / 2));
  return { duration_ms, poster: await picture(player) };
}

/** Both values are null for a file that this browser cannot play.
 * @param {Blob} file @returns {Promise<Glance>} */
export async function glanceAt(file) {
  const [kind] = file.type.split("/");
  if (kind !== "video" && kind !== "audio") return { duration_ms: null, poster: null };
  const player = document.createElement(kind);
  const url = URL.createObjectURL(file);
  try {
    Object.assign(player, { muted: true, preload: "auto", src: url });
    return await look(player);
  } catch {
    return { duration_ms: null, poster: null };
  } finally {
    player.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}
