// The key, what is left to its owner, and how the service does.

import { bearer, call, hasKey, open, setKey, whenAccessChanges } from "./api.js";
import { byId, make } from "./dom.js";
import { number, problemText, t, whenLanguageChanges } from "./texts.js";

const HEALTH_MS = 30_000;
const STARTING_MS = 2000;
const USAGE_MS = 30_000;

const panel = byId("access");
const field = byId("key");
let health = "";
let settled = false;
let refusal = null;
let timer = 0;

function showHealth() {
  const element = byId("health");
  element.dataset.health = health;
  element.textContent = health ? t(health) : "";
}

// While the service is not ready, what it can do grows: onGrown is called until it is.
async function askHealth(onGrown) {
  try {
    const { overall_status: overall, ready } = await open("health");
    if (!settled) await onGrown();
    settled = ready;
    health = ready ? overall : "starting";
  } catch (error) {
    settled = false;
    health = error.status ? "unhealthy" : "unreachable";
  }
  showHealth();
  setTimeout(askHealth, settled ? HEALTH_MS : STARTING_MS, onGrown);
}

function showAccess() {
  byId("key-forget").hidden = !hasKey();
  const well = hasKey() ? t("keyUsed") : t("keyNone");
  byId("key-state").textContent = refusal ? problemText(refusal) : well;
}

function limitLine({ name, limit, remaining }) {
  const inMinutes = name.startsWith("audio-");
  const amount = (value) => number(Math.floor(inMinutes ? value / 60 : value));
  const known = { name: problemText({ code: name, message: name }) };
  const text = t("usageLeft", { ...known, remaining: amount(remaining), limit: amount(limit) });
  const bar = make("progress", { max: limit, value: remaining, ariaHidden: "true" });
  return make("li", {}, make("span", { textContent: text }), bar);
}

async function showUsage() {
  clearTimeout(timer);
  if (!panel.open) return;
  try {
    const { limits } = await call("usage");
    const lines = limits.map(limitLine);
    byId("usage").replaceChildren(
      ...(lines.length ? lines : [make("li", { textContent: t("unlimited") })]),
    );
  } catch {
    byId("usage").replaceChildren(); // why is told beside the key
  }
  timer = setTimeout(showUsage, USAGE_MS);
}

async function useKey(key) {
  setKey(key);
  field.value = "";
  await bearer().catch(() => {});
  await showUsage();
}

export function startAccess({ onGrown }) {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) useKey(field.value.trim());
  });
  byId("key-forget").addEventListener("click", () => useKey(""));
  panel.addEventListener("toggle", showUsage);
  whenAccessChanges((error) => {
    refusal = error;
    if (error?.status === 401) panel.open = true;
    showAccess();
  });
  whenLanguageChanges(() => {
    showHealth();
    showAccess();
    showUsage();
  });
  askHealth(onGrown);
  bearer().catch(() => {}); // tells at once whether a key is needed
}
