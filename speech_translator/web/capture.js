// The sound of a microphone, of a tab or of the system, as frames of 16 kHz 16-bit samples.

// Why there is no sound; `code` is a text of the page.
export class NoSound extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const MICROPHONE = {
  NotFoundError: "noDevice",
  OverconstrainedError: "noDevice",
  NotReadableError: "deviceBusy",
};

export const canListen = () => Boolean(window.isSecureContext && navigator.mediaDevices);
export const canShare = () => canListen() && "getDisplayMedia" in navigator.mediaDevices;

// With echo cancellation the translation that this page speaks is not heard again.
async function streamOf({ kind, deviceId }, echoCancellation) {
  const plain = { echoCancellation, noiseSuppression: echoCancellation, autoGainControl: true };
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  try {
    if (kind === "microphone") {
      const audio = { ...plain, ...device, channelCount: 1 };
      return await navigator.mediaDevices.getUserMedia({ audio });
    }
    return await navigator.mediaDevices.getDisplayMedia({
      video: true, // browsers share no sound without a picture
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      systemAudio: "include",
    });
  } catch (error) {
    throw new NoSound(kind === "microphone" ? (MICROPHONE[error.name] ?? "denied") : "denied");
  }
}

// Raises NoSound. input: {kind: "microphone" or "shared", deviceId}, the id of a microphone or
// nothing for the browser's own choice. onFrame(samples) gets each 100 ms, onLevel their peak; onEnd
// is called when it stops.
export async function startCapture(input, { echoCancellation, onFrame, onLevel, onEnd }) {
  const stream = await streamOf(input, echoCancellation);
  const release = () => stream.getTracks().forEach((track) => track.stop());
  const [track] = stream.getAudioTracks();
  if (!track) {
    release();
    throw new NoSound("noSound");
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
    await context.resume();
  } catch (error) {
    release(); // no light stays on for sound that nobody hears
    context.close();
    throw error;
  }
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const node = new AudioWorkletNode(context, "capture");
  source.connect(node).connect(context.destination); // silent: it is only pulled through there
  let ended;
  const flushed = new Promise((resolve) => {
    ended = resolve;
  });
  node.port.onmessage = ({ data }) => {
    if (data.ended) {
      ended();
      return;
    }
    onLevel(data.peak);
    onFrame(data.samples);
  };
  track.addEventListener("ended", onEnd);
  return {
    // Stops, after the last frame was handed over.
    async stop() {
      track.removeEventListener("ended", onEnd);
      node.port.postMessage("end");
      await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, 500))]);
      release();
      onLevel(0);
      await context.close();
    },
  };
}
