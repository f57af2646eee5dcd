// The tab Live: from a microphone or shared sound to captions in two languages.

import { openLiveSocket } from "./api.js";
import { stayAwake } from "./awake.js";
import { CaptionList } from "./caption-list.js";
import { canListen, canShare, startCapture } from "./capture.js";
import { Captions } from "./captions.js";
import { byId } from "./dom.js";
import { exportButtons } from "./exports.js";
import { inputPicker } from "./input-picker.js";
import { canSpeak, languagePickers, nameOf } from "./languages.js";
import { LiveClient } from "./live-client.js";
import { moreLanguages } from "./more-languages.js";
import { startPresenter } from "./presenter.js";
import { startShare } from "./share.js";
import { Speaker } from "./speaker.js";
import { has, problemText, t, whenLanguageChanges } from "./texts.js";

const source = byId("live-source");
const target = byId("live-target");
const input = byId("live-input");
const speech = byId("live-speech");
const bargeIn = byId("live-barge-in");
const share = byId("live-share");
const start = byId("live-start");
const stop = byId("live-stop");
const settings = [source, input, speech, bargeIn, share]; // that hold for a whole session
const list = new CaptionList("live");
const picker = inputPicker(input);
const link = startShare({ onStop: () => client?.unshare() });
const more = moreLanguages(target, { isShared: () => share.checked, onChange: retarget });

let captions = new Captions();
let client = null;
let capture = null;
let speaker = null;
let state = "";

function say(problem) {
  byId("live-problem").textContent = problem ? problemText(problem) : "";
}

function showState(name) {
  state = name;
  byId("live-state").textContent = name ? t(name) : "";
  byId("live-state").dataset.state = name;
}

function showNames() {
  byId("live-source-name").textContent = source.value === "auto" ? t("original") : nameOf(source.value);
  byId("live-target-name").textContent = nameOf(target.value);
  const on = start.hidden;
  if (!on && !canSpeak(target.value)) speech.checked = false;
  speech.disabled = on || !canSpeak(target.value);
  bargeIn.disabled = on || !speech.checked;
  more.show();
}

// Translates into another language from here on.
function retarget() {
  showNames();
  client?.update({ target_languages: targets(), speech: speech.checked && canSpeak(target.value) });
}

function notShared() {
  link.hide();
  share.checked = false;
  retarget(); // nobody reads the further languages
}

const targets = () => [target.value, ...more.chosen()].filter(Boolean);

function running(on) {
  start.hidden = on;
  stop.hidden = !on;
  stop.disabled = true; // until there is something to stop
  for (const element of settings) element.disabled = on;
  byId("panel-live").classList.toggle("running", on); // what cannot be changed takes no room
  if (!on && document.activeElement === document.body) start.focus();
}

function onEvent(event, offset) {
  if (event.type === "ready") link.show(event);
  if (event.type === "unshared") notShared();
  if (event.type === "audio") speaker?.play(event);
  if (event.type === "speech_stopped") speaker?.hush();
  if (event.type === "final") {
    const seconds = (event.latency_ms / 1000).toFixed(1);
    byId("live-latency").textContent = t("latency", { seconds });
  }
  if (event.type === "warning" || event.type === "error") {
    if (event.type === "error" || has(event.code)) say(event);
  }
  const shown = { target: target.value, others: more.chosen() };
  if (captions.take(event, offset, shown)) list.draw(captions);
}

async function onState(name, problem) {
  showState(name);
  if (name === "ready") {
    say(null);
    byId("live-captions").scrollIntoView({ block: "nearest" });
  }
  if (name !== "ended") return;
  client = null;
  link.hide();
  if (problem) say(problem);
  await stopSound();
  if (problem) speaker?.stop();
  else speaker?.finish();
  speaker = null;
  captions.dropPartials();
  list.draw(captions);
  running(false);
  showNames();
}

async function stopSound() {
  const stopped = capture;
  capture = null;
  stayAwake(false);
  await stopped?.stop();
}

async function begin() {
  say(null);
  captions.dropPartials();
  running(true);
  const spoken = speech.checked;
  const early = []; // heard before there was a client for it
  try {
    capture = await startCapture(picker.chosen(), {
      echoCancellation: spoken,
      onFrame: (samples) => (client ? client.push(samples) : early.push(samples)),
      onLevel: (peak) => {
        byId("live-level").value = Math.sqrt(peak);
      },
      onEnd: () => {
        if (input.value !== "shared") say({ code: "unplugged" });
        finish();
      },
    });
  } catch (error) {
    running(false);
    showNames();
    say(error.code ? error : { code: "failed" });
    return;
  }
  picker.refresh(); // now that microphones have names
  speaker = spoken ? new Speaker() : null;
  const request = {
    source_language: source.value,
    target_languages: targets(),
    partials: true,
    speech: spoken,
    barge_in: spoken && bargeIn.checked,
    share: share.checked,
  };
  client = new LiveClient(request, { open: openLiveSocket, onEvent, onState });
  early.forEach((samples) => client.push(samples));
  stop.disabled = false;
  stop.focus();
  stayAwake(true);
}

// Waits for the last words; pressed again, it does not.
async function finish() {
  if (!capture) {
    client?.abandon();
    return;
  }
  showState("finishing");
  await stopSound();
  client?.end();
}

function clear() {
  captions = new Captions();
  byId("live-latency").textContent = "";
  list.draw(captions);
}

export function startLiveTab() {
  const pickers = languagePickers(source, target, { speech: true, none: true });
  byId("live-insecure").hidden = canListen();
  start.disabled = !canListen();
  input.querySelector("[value=shared]").disabled = !canShare();
  start.addEventListener("click", begin);
  stop.addEventListener("click", finish);
  byId("live-clear").addEventListener("click", clear);
  source.addEventListener("change", showNames);
  target.addEventListener("change", retarget);
  for (const choice of [speech, share]) choice.addEventListener("change", showNames);
  window.addEventListener("online", () => client?.retryNow());
  whenLanguageChanges(() => {
    showNames();
    showState(state);
  });
  exportButtons(byId("live-exports"), ["txt", "srt", "vtt", "docx"], () => ({
    segments: captions.finals,
    heads: ["live-source-name", "live-target-name"].map((id) => byId(id).textContent),
    which: byId("live-which").value,
    name: "captions",
  }));
  startPresenter(byId("live-present"));
  return () => {
    pickers.show();
    showNames();
  };
}
