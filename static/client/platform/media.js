/** Opens the camera and the microphone, or the one that is available. */

const NONE = "Your camera and microphone are not available. You can still see and hear.";
const NO_CAMERA = "Your camera is not available. The other person can hear you.";
const NO_MICROPHONE = "Your microphone is not available. The other person can see you.";

/** @typedef {{stream: MediaStream | null, complaint: string}} Media */

/** The requests in order of preference: a browser grants all of a request, or nothing. */
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
      // Refused or missing. Pages without TLS do not even have `mediaDevices`.
    }
  }
  return { stream: null, complaint: NONE };
}
