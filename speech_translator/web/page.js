// The form of the start page: languages from /languages, translations from /translate/text.

const form = document.querySelector("#translate");
const output = document.querySelector("#translation");
const origin = document.querySelector("#origin");
const statusLine = document.querySelector("#status");
const { source_language: source, target_language: target } = form.elements;

let languages = [];

function option(language) {
  const element = document.createElement("option");
  element.value = language.code;
  element.textContent = language.name;
  return element;
}

function showTargets() {
  const chosen = target.value;
  const reachable = new Set(
    languages
      .filter((language) => source.value === "auto" || language.code === source.value)
      .flatMap((language) => language.targets),
  );
  target.replaceChildren(
    ...languages.filter((language) => reachable.has(language.code)).map(option),
  );
  if (reachable.has(chosen)) target.value = chosen;
}

async function load() {
  const [health, list] = await Promise.all([fetch("/health"), fetch("/languages")]);
  const { overall_status: overall } = await health.json();
  statusLine.textContent = `The service is ${overall}.`;
  languages = await list.json();
  const sources = languages.filter((language) => language.targets.length > 0);
  source.append(...sources.map(option));
  showTargets();
  if (languages.length === 0) setTimeout(load, 1500); // the models are still loading
}

source.addEventListener("change", showTargets);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  output.className = "";
  origin.textContent = "";
  try {
    const answer = await fetch("/translate/text", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    const body = await answer.json();
    output.textContent = answer.ok ? body.translation : body.detail;
    output.classList.toggle("failed", !answer.ok);
    if (answer.ok) origin.textContent = `${body.source_language} → ${body.target_language}, ${body.route.join(", ") || body.engine}`;
  } catch {
    output.textContent = "The service cannot be reached.";
    output.classList.add("failed");
  } finally {
    button.disabled = false;
  }
});

load().catch(() => {
  statusLine.textContent = "The service cannot be reached.";
});
