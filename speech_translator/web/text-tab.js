// The tab Text: translates as it is typed. Each keystroke calls off the request before.

import { postJson } from "./api.js";
import { byId, copyFrom } from "./dom.js";
import { languagePickers, nameOf } from "./languages.js";
import { number, problemText, t, whenLanguageChanges } from "./texts.js";

const PAUSE_MS = 400;
const COPIED_MS = 2000;

const source = byId("text-source");
const target = byId("text-target");
const input = byId("text-input");
const output = byId("text-output");
const copy = byId("text-copy");
const problem = byId("text-problem");

let timer = 0;
let asked = new AbortController();
let detected = "";

function show({ translation = "", route = [], source: found = "" } = {}) {
  output.textContent = translation;
  output.lang = target.value;
  output.classList.remove("stale");
  detected = found;
  copy.disabled = !translation;
  byId("text-route").textContent = route.length ? t("by", { route: route.join(", ") }) : "";
  showDetected();
}

function showDetected() {
  const language = source.value === "auto" ? nameOf(detected) : "";
  byId("text-detected").textContent = language ? t("detected", { language }) : "";
}

function showCount() {
  const count = number([...input.value].length);
  byId("text-count").textContent = t("characters", { count });
}

function schedule(pause = PAUSE_MS) {
  clearTimeout(timer);
  asked.abort();
  showCount();
  output.classList.add("stale");
  timer = setTimeout(translate, pause);
}

async function translate() {
  problem.textContent = "";
  if (!input.value.trim()) {
    show();
    return;
  }
  asked = new AbortController();
  const { signal } = asked;
  const request = {
    text: input.value,
    source_language: source.value,
    target_language: target.value,
  };
  try {
    const found = await postJson("translate/text", request, { signal });
    if (signal.aborted) return;
    show({ ...found, source: found.detected_language ?? found.source_language });
  } catch (error) {
    if (signal.aborted) return;
    show();
    problem.textContent = problemText(error.status ? error : { code: "unreachable" });
  }
}

function swap() {
  const from = source.value === "auto" ? detected : source.value;
  if (!from || ![...target.options].some(({ value }) => value === from)) return;
  const to = target.value;
  source.value = to;
  source.dispatchEvent(new Event("change"));
  target.value = from;
  if (output.textContent) input.value = output.textContent;
  schedule(0);
}

async function copyOut() {
  await copyFrom(output);
  copy.textContent = t("copied");
  setTimeout(() => {
    copy.textContent = t("copy");
  }, COPIED_MS);
}

export function startTextTab() {
  const pickers = languagePickers(source, target, {});
  input.addEventListener("input", () => schedule());
  source.addEventListener("change", () => schedule(0));
  target.addEventListener("change", () => schedule(0));
  byId("text-swap").addEventListener("click", swap);
  copy.addEventListener("click", copyOut);
  whenLanguageChanges(() => {
    showCount();
    showDetected();
  });
  showCount();
  return pickers.show;
}
