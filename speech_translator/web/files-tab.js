// The tab Files: a recording becomes a transcript and its translation, side by side with the sound.

import { upload } from "./api.js";
import { byId, make } from "./dom.js";
import { exportButtons, shortTime } from "./exports.js";
import { languagePickers, nameOf } from "./languages.js";
import { problemText, t, whenLanguageChanges } from "./texts.js";

const source = byId("files-source");
const target = byId("files-target");
const drop = byId("files-drop");
const input = byId("files-input");
const player = byId("files-player");
const list = byId("files-segments");
const progress = byId("files-progress");

let asked = null;
let shown = null; // {name, answer, target}
let rows = [];

function stage(part) {
  const sent = part === 1;
  if (sent) progress.removeAttribute("value");
  else progress.value = part;
  const percent = Math.floor(part * 100);
  byId("files-stage").textContent = sent ? t("working") : t("uploading", { percent });
}

async function send(file) {
  asked?.abort();
  const mine = new AbortController();
  asked = mine;
  const to = target.value;
  byId("files-problem").textContent = "";
  byId("files-result").hidden = true;
  byId("files-work").hidden = false;
  byId("files-name").textContent = file.name;
  stage(0);
  const form = new FormData();
  form.append("source_language", source.value);
  if (to) form.append("target_language", to);
  form.append("file", file);
  try {
    const answer = await upload("transcribe/audio", form, {
      onProgress: stage,
      signal: mine.signal,
    });
    shown = { name: file.name, answer, target: to };
    play(file);
    showResult();
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("files-problem").textContent = problemText(error.status ? error : { code: "unreachable" });
  } finally {
    if (asked === mine) byId("files-work").hidden = true;
  }
}

function play(file) {
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(file);
  player.classList.toggle("sound", !file.type.startsWith("video/"));
}

function showResult() {
  const { answer } = shown;
  byId("files-result").hidden = false;
  const language = nameOf(answer.language);
  const summary = t("summary", { language, duration: shortTime(answer.duration) });
  byId("files-summary").textContent = `${shown.name}: ${summary}`;
  rows = answer.segments.map(row);
  list.replaceChildren(...rows);
  if (!rows.length) list.append(make("li", { textContent: t("nothingHeard") }));
}

function row(segment) {
  const time = shortTime(segment.start);
  const button = make("button", {
    className: "time",
    textContent: time,
    ariaLabel: t("playFrom", { time }),
  });
  button.addEventListener("click", () => {
    player.currentTime = segment.start;
    player.play();
  });
  const words = (text, lang, className) => make("p", { textContent: text, lang, className, dir: "auto" });
  return make(
    "li",
    {},
    button,
    make(
      "div",
      { className: "columns" },
      words(segment.text, shown.answer.language, "source"),
      words(segment.translation ?? "", shown.target, "translation"),
    ),
  );
}

// Marks what is heard now; what stands between two segments belongs to the one before.
function highlight() {
  const { segments } = shown?.answer ?? { segments: [] };
  const now = segments.findLastIndex(({ start }) => start <= player.currentTime + 0.05);
  rows.forEach((element, index) => {
    if (index !== now) element.removeAttribute("aria-current");
    else if (!element.hasAttribute("aria-current")) {
      element.setAttribute("aria-current", "true");
      if (!player.paused) element.scrollIntoView({ block: "nearest" });
    }
  });
}

function dropped(event) {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) send(file);
}

export function startFilesTab() {
  const pickers = languagePickers(source, target, { speech: true, none: true });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (file) send(file);
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", dropped);
  byId("files-cancel").addEventListener("click", () => asked?.abort());
  player.addEventListener("timeupdate", highlight);
  player.addEventListener("seeked", highlight);
  exportButtons(byId("files-exports"), ["srt", "vtt", "txt", "docx", "json"], () => ({
    segments: shown.answer.segments.map((segment) => ({
      ...segment,
      language: shown.answer.language,
      target: shown.target,
    })),
    heads: [nameOf(shown.answer.language), nameOf(shown.target)],
    which: byId("files-which").value,
    name: shown.name.replace(/\.[^.]*$/, "") || "transcript",
  }));
  whenLanguageChanges(() => {
    if (shown) showResult();
  });
  return pickers.show;
}
