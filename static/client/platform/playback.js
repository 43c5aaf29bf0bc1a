/** Continues a recording or a video after its address was replaced. */

/** @typedef {{time_s: number, rate: number, playing: boolean}} Playback */

/** Where a player is, and whether it plays. @param {HTMLMediaElement} player @returns {Playback} */
export const playbackOf = ({ currentTime, playbackRate, paused, ended }) =>
  ({ time_s: currentTime, rate: playbackRate, playing: !paused && !ended });

/** Continues from there; the volume belongs to the element and has not changed.
 * @param {HTMLMediaElement} player @param {Playback} playback */
export function resume(player, { time_s, rate, playing }) {
  player.currentTime = time_s;
  player.playbackRate = rate;
  if (playing) void player.play().catch(() => {}); // the browser may ask for a click first
}
