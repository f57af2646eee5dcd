// The link by which others read a live session's captions. Its secret stands in the fragment, which
// browsers send to nobody.

import { byId, copyFrom } from "./dom.js";
import { t, whenLanguageChanges } from "./texts.js";

const COPIED_MS = 2000;
const OWN_MACHINE = new Set(["localhost", "127.0.0.1", "[::1]"]);

const box = byId("live-link");
const address = byId("live-link-address");
const copy = byId("live-link-copy");
const note = byId("live-link-note");

let told = "";

function tell(key) {
  told = key;
  note.textContent = key ? t(key) : "";
}

async function copyLink() {
  await copyFrom(address);
  copy.textContent = t("copied");
  setTimeout(() => {
    copy.textContent = t("copyLink");
  }, COPIED_MS);
}

// onStop: the reader of this page wants nobody to read any longer. Gives {show(ready), hide()}.
export function startShare({ onStop }) {
  copy.addEventListener("click", copyLink);
  byId("live-unshare").addEventListener("click", onStop);
  address.addEventListener("focus", () => address.select());
  whenLanguageChanges(() => tell(told));

  return {
    // A session that goes on keeps its link, and tells its secret once.
    show({ session_id: session, share_secret: secret, resumed }) {
      if (resumed) return;
      const again = !box.hidden;
      box.hidden = !secret;
      if (!secret) return;
      const link = new URL("captions", document.baseURI);
      link.search = "";
      link.hash = `${session}.${secret}`;
      address.value = link.href;
      const here = OWN_MACHINE.has(link.hostname) ? "linkHere" : "linkNote";
      tell(again ? "linkAgain" : here);
    },
    hide() {
      box.hidden = true;
      address.value = "";
    },
  };
}
