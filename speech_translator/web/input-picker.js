// Where the sound comes from: a microphone, which of them once the browser tells their names, or
// the sound of a tab or the system. The microphone that was chosen is remembered on this machine.

import { make } from "./dom.js";

const CHOICE = "speech-translator.microphone";
const DEVICE = "microphone:";
const OTHER_NAMES = new Set(["default", "communications"]); // of microphones that are listed anyway

// Named ones alone: before the microphone was allowed there are no names.
async function microphones() {
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return devices.filter(
    ({ kind, deviceId, label }) => kind === "audioinput" && label && !OTHER_NAMES.has(deviceId),
  );
}

// select: has the options `microphone`, for the browser's own choice, and `shared`. Gives
// {chosen(): what `startCapture` takes, refresh()}.
export function inputPicker(select) {
  async function refresh() {
    const found = await microphones();
    const wanted = select.value === "shared" ? "shared" : DEVICE + localStorage.getItem(CHOICE);
    for (const old of select.querySelectorAll(`[value^="${DEVICE}"]`)) old.remove();
    const options = found.map(({ deviceId, label }) =>
      make("option", { value: DEVICE + deviceId, textContent: label }),
    );
    if (options.length > 1) select.querySelector("[value=microphone]").after(...options);
    select.value = wanted;
    if (!select.value) select.value = "microphone"; // it is not plugged in now
  }

  select.addEventListener("change", () => {
    if (select.value === "microphone") localStorage.removeItem(CHOICE);
    else if (select.value.startsWith(DEVICE)) {
      localStorage.setItem(CHOICE, select.value.slice(DEVICE.length));
    }
  });
  if (navigator.mediaDevices) {
    navigator.mediaDevices.addEventListener("devicechange", refresh);
    refresh();
  }

  const chosen = () => {
    const [kind, ...id] = select.value.split(":");
    return { kind, deviceId: id.join(":") };
  };
  return { chosen, refresh };
}
