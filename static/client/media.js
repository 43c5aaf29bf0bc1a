/** Camera and microphone, or as much of them as there is. */

const NONE = "Your camera and microphone cannot be used. You can still see and hear.";
const NO_CAMERA = "Your camera cannot be used. The other person hears you.";

/** @typedef {{stream: MediaStream | null, complaint: string}} Media */

/** @returns {Promise<Media>} */
export async function openMedia() {
  const devices = navigator.mediaDevices;
  if (!devices) return { stream: null, complaint: NONE };
  try {
    return { stream: await devices.getUserMedia({ audio: true, video: true }), complaint: "" };
  } catch {
    return devices.getUserMedia({ audio: true })
      .then((stream) => ({ stream, complaint: NO_CAMERA }))
      .catch(() => ({ stream: null, complaint: NONE }));
  }
}
