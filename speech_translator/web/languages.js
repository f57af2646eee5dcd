// What can be translated and recognised, and the pickers that offer it.

import { open } from "./api.js";
import { make } from "./dom.js";
import { languageName, pageLanguage, t, whenLanguageChanges } from "./texts.js";

let languages = [];

export const nameOf = (code) =>
  code ? languageName(code, languages.find((one) => one.code === code)?.name ?? code) : "";

export const canSpeak = (code) =>
  languages.some((language) => language.code === code && language.speech.spoken);

// Those of the models that are loaded by now.
export async function loadLanguages() {
  languages = await open("languages");
}

function fill(select, codes, first, wanted) {
  const chosen = select.value || wanted;
  const collator = new Intl.Collator(pageLanguage());
  const named = codes.map((code) => [code, nameOf(code)]);
  named.sort(([, one], [, other]) => collator.compare(one, other));
  const options = [...(first ? [first] : []), ...named];
  if (JSON.stringify(options) === select.dataset.shown) return; // an open list stays open
  select.dataset.shown = JSON.stringify(options);
  select.replaceChildren(
    ...options.map(([value, textContent]) => make("option", { value, textContent })),
  );
  const values = options.map(([value]) => value);
  select.value = [chosen, wanted, values[0]].find((value) => values.includes(value)) ?? "";
}

// Joins two pickers: targets are those that the source reaches.
export function languagePickers(source, target, { speech = false, none = false }) {
  const sources = () =>
    languages.filter((one) => (speech ? one.speech.recognised : one.targets.length > 0));
  const targetsOf = (one) => (speech ? one.speech.targets : one.targets);

  function showTargets() {
    const chosen = sources().filter((one) => ["auto", one.code].includes(source.value));
    const codes = new Set(chosen.flatMap(targetsOf));
    const first = none ? ["", t("none")] : null;
    const home = pageLanguage();
    fill(target, [...codes], first, source.value === home || home === "en" ? "pt" : home);
  }

  function show() {
    fill(source, sources().map((one) => one.code), ["auto", t("detect")], "auto");
    showTargets();
  }

  source.addEventListener("change", showTargets);
  whenLanguageChanges(show);
  return { show, showTargets };
}
