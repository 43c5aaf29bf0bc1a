/** Camera and microphone, or as much of them as there is. */

const NONE = "Your camera and microphone are not available. You can still see and hear.";
const NO_CAMERA = "Your camera is not available. The other person can hear you.";
const NO_MICROPHONE = "Your microphone is not available. The other person can see you.";

/** @typedef {{stream: MediaStream | null, complaint: string}} Media */

/** What to ask for, the most first: a browser gives all that is asked for or nothing. */
const WISHES = [
  { ask: { audio: true, video: true }, complaint: "" },
  { ask: { audio: true }, complaint: NO_CAMERA },
  { ask: { video: true }, complaint: NO_MICROPHONE },
];

/** @returns {Promise<Media>} */
export async function openMedia() {
  for (const { ask, complaint } of WISHES) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(ask), complaint };
    } catch {
      // Refused or missing; without TLS there are no `mediaDevices` at all.
    }
  }
  return { stream: null, complaint: NONE };
}
