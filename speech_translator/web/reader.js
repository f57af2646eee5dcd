// The page of those who read along: captions and nothing else, by a link whose fragment names the
// session and its secret. Asks for no key.

import { stayAwake } from "./awake.js";
import { CaptionList } from "./caption-list.js";
import { CaptionReader } from "./caption-reader.js";
import { ReadCaptions } from "./captions.js";
import { byId, make } from "./dom.js";
import { nameOf } from "./languages.js";
import { startPresenter } from "./presenter.js";
import { startSizes } from "./sizes.js";
import {
  pageLanguage,
  setPageLanguage,
  t,
  translateDocument,
  whenLanguageChanges,
} from "./texts.js";

const FINAL_REASONS = new Set(["end", "unshared"]); // no later try changes them

const list = new CaptionList("reader");
const picker = byId("reader-language");

let captions = new ReadCaptions();
let reader = null;
let session = null;
let state = "";
let reason = "";
let drawing = false;

function draw(options) {
  list.draw(captions, options);
}

// Once for all that came at the same time: who comes late gets a whole transcript.
function drawTogether() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    showLanguages();
    draw();
  });
}

function showState() {
  byId("reader-state").textContent = state ? t(state) : "";
  byId("reader-state").dataset.state = state;
  byId("reader-over").hidden = !reason;
  document.body.classList.toggle("over", Boolean(reason));
  byId("reader-again").hidden = FINAL_REASONS.has(reason);
  byId("reader-reason").textContent = reason ? t(`over-${reason}`) : "";
}

// As spoken, and each language that the session is translated into.
function showLanguages() {
  if (!session) return;
  const { source_language: source, target_languages: targets } = session;
  const spoken = source ? t("asSpoken", { language: nameOf(source) }) : t("original");
  const codes = [...new Set([...targets, ...captions.translated])];
  const options = [["", spoken], ...codes.map((code) => [code, nameOf(code)])];
  if (JSON.stringify(options) === picker.dataset.shown) return; // an open list stays open
  picker.dataset.shown = JSON.stringify(options);
  const chosen = captions.language;
  picker.replaceChildren(...options.map(([value, textContent]) => make("option", { value, textContent })));
  picker.value = chosen;
}

// The reader's own language where there is one, otherwise the first translation.
function chooseLanguage({ source_language: source, target_languages: targets }) {
  const own = navigator.languages.flatMap((tag) => [tag, tag.split("-")[0]]);
  const known = own.find((code) => code === source || targets.includes(code));
  if (known === source) return "";
  return known ?? targets[0] ?? "";
}

function onEvent(event) {
  if (event.type === "session") {
    if (!session) captions.language = chooseLanguage(event);
    session = event;
    showLanguages();
    return;
  }
  captions.take(event);
  drawTogether();
}

function onState(name, why = "") {
  state = name;
  reason = why;
  if (name !== "following") captions.dropPartials();
  draw();
  showState();
  stayAwake(name === "following"); // as a phone that follows a talk must
}

// What is behind the #: session and secret.
function open(lastId, signal) {
  const [id, secret = ""] = location.hash.slice(1).split(".");
  const headers = { "X-Share-Secret": secret, ...(lastId ? { "Last-Event-ID": lastId } : {}) };
  return fetch(`captions/${encodeURIComponent(id)}`, { headers, signal, cache: "no-store" });
}

function follow() {
  reader = new CaptionReader({ open, onEvent, onState });
  if (/^#[^.]+\.[^.]+$/.test(location.hash)) reader.run();
  else onState("ended", "notShared");
}

translateDocument();
const choice = byId("page-language");
choice.value = pageLanguage();
choice.addEventListener("change", () => setPageLanguage(choice.value));
whenLanguageChanges(() => {
  showState();
  showLanguages();
});
picker.addEventListener("change", () => {
  captions.language = picker.value;
  draw({ anew: true });
});
byId("reader-again").addEventListener("click", () => reader.run());
window.addEventListener("online", () => reader.retryNow());
window.addEventListener("hashchange", () => location.reload()); // another link in the same tab
startPresenter(byId("reader-present"));
startSizes(document.body, byId("reader-smaller"), byId("reader-larger"));
follow();
