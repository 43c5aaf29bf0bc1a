// Resolves when the remote video of a call is as wanted: frames arrive and differ ("moving"), or
// frames arrive and are black ("dark").
async (wanted) => {
  const video = document.querySelector('[data-test="remote"]');
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  const nextFrame = () => new Promise((resolve) =>
    video.requestVideoFrameCallback((_, frame) => resolve(frame.presentedFrames)));
  const look = () => {
    paper.drawImage(video, 0, 0, canvas.width, canvas.height);
    return paper.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  const LIGHT = 40, DIFFERENT = 5;
  const seen = new Set();
  for (let last = -1; ;) {
    const frame = await nextFrame();
    if (frame === last) continue;
    last = frame;
    const pixels = look();
    const dark = pixels.every((value, at) => at % 4 === 3 || value < LIGHT);
    if (wanted === "dark" && dark) return;
    if (wanted === "moving" && !dark) seen.add(pixels.join());
    if (seen.size >= DIFFERENT) return;
  }
}
