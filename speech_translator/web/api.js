// Asks the service. A key, where one is needed, stays in this tab's session storage and is sent to
// /auth/token alone; everything else, live sockets too, works with the short-lived token from there.
// On the machine of a development service the token comes without a key, and where everybody is let
// in there is none.

const KEY = "speech-translator.key";
const EARLY_MS = 30_000; // a token this near its end is not used any more
const NONE_NEEDED = { access_token: "", expires_in: 600 };
const listeners = new Set();

let token = { text: "", endsAt: 0 };
let asking = null;

// An answer that is no success, by its problem document (RFC 9457).
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "");
    this.status = status;
    this.code = status === 401 && !hasKey() ? "keyNeeded" : problem.code;
  }
}

export const hasKey = () => Boolean(sessionStorage.getItem(KEY));

export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  forgetToken();
}

export function forgetToken() {
  token = { text: "", endsAt: 0 };
}

// Called with the problem whenever no token can be had, and with null when one came.
export function whenAccessChanges(listener) {
  listeners.add(listener);
}

// A token that holds for a while, empty where none is needed; one request for all who want it at
// the same time.
export async function bearer() {
  if (Date.now() < token.endsAt) return token.text;
  asking ??= trade().finally(() => {
    asking = null;
  });
  return asking;
}

const authorised = (text) => (text ? { Authorization: `Bearer ${text}` } : {});

async function keyNeeded() {
  const headers = { Accept: "application/json" };
  return (await open(".", { headers, cache: "no-store" })).key_needed;
}

async function trade() {
  const key = sessionStorage.getItem(KEY);
  try {
    const answer = await fetch("auth/token", {
      method: "POST",
      headers: key ? { "X-API-Key": key } : {},
    });
    const isOpen = !key && answer.status === 401 && !(await keyNeeded());
    const { access_token: text, expires_in: seconds } = isOpen ? NONE_NEEDED : await body(answer);
    token = { text, endsAt: Date.now() + seconds * 1000 - EARLY_MS };
    for (const listener of listeners) listener(null);
    return text;
  } catch (error) {
    for (const listener of listeners) listener(error);
    throw error;
  }
}

async function body(answer) {
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, found);
  return found;
}

// JSON from a route that needs a token. A token that was closed in the meantime is replaced once.
export async function call(path, options = {}) {
  for (const last of [false, true]) {
    const headers = { ...options.headers, ...authorised(await bearer()) };
    const answer = await fetch(path, { ...options, headers });
    if (answer.status !== 401 || last) return body(answer);
    forgetToken();
  }
}

export function postJson(path, value, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { ...options, method: "POST", headers, body: JSON.stringify(value) });
}

export const open = async (path, options) => body(await fetch(path, options));

// Sends a form and tells how much has gone; fetch cannot tell that yet.
export async function upload(path, form, { onProgress, signal }) {
  const headers = authorised(await bearer());
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onload = () => {
      if (request.status === 401) forgetToken(); // it was closed; the next try gets another
      if (request.status < 300) resolve(request.response);
      else reject(new Refused(request.status, request.response ?? {}));
    };
    request.onerror = () => reject(new TypeError("unreachable"));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// The live socket. The token goes as a subprotocol, which no log keeps, unlike an address.
export async function openLiveSocket() {
  const address = new URL("translate/stream", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  const text = await bearer();
  return new WebSocket(address, ["speech-translator", ...(text ? [`bearer.${text}`] : [])]);
}
