// The form of the start page: languages from /languages, translations from /translate/text.
// The page works with a token of ten minutes. On the machine of a development service it gets one
// by itself; elsewhere it asks for a key, and keeps nothing but the token.

const form = document.querySelector("#translate");
const output = document.querySelector("#translation");
const origin = document.querySelector("#origin");
const statusLine = document.querySelector("#status");
const { source_language: source, target_language: target } = form.elements;

const keyField = document.querySelector("#keyfield");
const key = keyField.querySelector("input");

let languages = [];
let token = { text: "", endsAt: 0 };

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

// A token, or the problem why there is none.
async function authorise() {
  if (Date.now() < token.endsAt) return null;
  const headers = key.value ? { "X-API-Key": key.value } : {};
  const answer = await fetch("auth/token", { method: "POST", headers });
  const body = await answer.json();
  if (!answer.ok) {
    keyField.hidden = answer.status !== 401 && keyField.hidden;
    return body;
  }
  token = { text: body.access_token, endsAt: Date.now() + (body.expires_in - 30) * 1000 };
  key.value = "";
  return null;
}

function translate() {
  return fetch("translate/text", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token.text}` },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
}

function fail(text) {
  output.textContent = text;
  output.classList.add("failed");
}

async function load() {
  const [health, list] = await Promise.all([fetch("health"), fetch("languages")]);
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
    const problem = await authorise();
    if (problem) {
      fail(problem.detail);
      return;
    }
    const answer = await translate();
    const body = await answer.json();
    if (!answer.ok) {
      if (answer.status === 401) token.endsAt = 0; // it was closed; the next try gets another
      fail(body.detail);
      return;
    }
    output.textContent = body.translation;
    origin.textContent = `${body.source_language} → ${body.target_language}, ${body.route.join(", ") || body.engine}`;
  } catch {
    fail("The service cannot be reached.");
  } finally {
    button.disabled = false;
  }
});

load().catch(() => {
  statusLine.textContent = "The service cannot be reached.";
});
