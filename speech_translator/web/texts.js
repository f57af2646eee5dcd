// What the page says, in each of its languages, and how it is put into the document: an element
// names its text by data-text, its accessible name by data-label, its hint by data-placeholder.

import { EN } from "./texts-en.js";
import { PT } from "./texts-pt.js";

const TEXTS = { en: EN, pt: PT };
const CHOICE = "speech-translator.page-language";
const changed = new EventTarget();

// What the operator calls this service.
const ownName = document.querySelector("meta[name=application-name]").content;

let current = initial();

function initial() {
  const wanted = [sessionStorage.getItem(CHOICE), ...navigator.languages];
  return wanted.map((tag) => tag?.slice(0, 2)).find((tag) => tag in TEXTS) ?? "en";
}

export const pageLanguage = () => current;

// The text of a key, with what stands in braces filled in.
export function t(key, values = {}) {
  if (key === "title" && ownName) return ownName;
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const has = (key) => Object.hasOwn(EN, key ?? "");

// What went wrong: in the page's language where it knows the code, otherwise as the service said it.
export function problemText(problem) {
  return has(problem.code) ? t(problem.code) : problem.message || t("failed");
}

export function whenLanguageChanges(listener) {
  changed.addEventListener("change", listener);
}

export function setPageLanguage(language) {
  current = language;
  sessionStorage.setItem(CHOICE, language);
  translateDocument();
  changed.dispatchEvent(new Event("change"));
}

export function translateDocument() {
  document.documentElement.lang = current;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = t(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = t(element.dataset.placeholder);
  }
}

const displayNames = {};

// A language's name in the page's language; the service's own name for what the browser knows not.
export function languageName(code, fallback = code) {
  displayNames[current] ??= new Intl.DisplayNames(current, { type: "language", fallback: "none" });
  try {
    const name = displayNames[current].of(code) ?? fallback;
    return name[0].toLocaleUpperCase(current) + name.slice(1);
  } catch {
    return fallback;
  }
}

export const number = (value) => new Intl.NumberFormat(current).format(value);
