// Captions on the page: finals are appended and never touched again, partials are drawn anew.

import { byId, make } from "./dom.js";
import { shortTime } from "./exports.js";

const NEAR_END = 48; // pixels; further up, somebody is reading

const finals = byId("live-finals");
const partials = byId("live-partials");
const view = byId("live-captions");
const presented = byId("presenter-lines");

const PRESENTED = 3;

function words(caption, className, lang, text, confirmed = text) {
  const element = make("p", { className, lang: lang ?? "", dir: "auto" });
  if (text === confirmed) element.textContent = text;
  else element.append(make("span", { className: "held", textContent: confirmed }), text.slice(confirmed.length));
  return element;
}

function row(caption, kind) {
  return make(
    "div",
    { className: `columns caption ${kind}` },
    make(
      "div",
      {},
      make("span", { className: "time", textContent: shortTime(caption.start), ariaHidden: "true" }),
      words(caption, "source", caption.language, caption.text, caption.confirmed),
    ),
    words(caption, "translation", caption.target, caption.translation),
  );
}

// Draws what is new; `drawn` is how many finals stand already.
export function drawCaptions(captions) {
  const following = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_END;
  if (captions.finals.length < finals.childElementCount) finals.replaceChildren();
  const fresh = captions.finals.slice(finals.childElementCount);
  finals.append(...fresh.map((caption) => row(caption, "final")));
  partials.replaceChildren(...captions.partials.map((caption) => row(caption, "partial")));
  byId("live-empty").hidden = Boolean(captions.finals.length || captions.partials.length);
  if (following) view.scrollTop = view.scrollHeight;
  present(captions);
}

function present({ finals: last, partials: running }) {
  const shown = [
    ...last.slice(-PRESENTED).map((caption) => [caption, "final"]),
    ...running.map((caption) => [caption, "partial"]),
  ];
  presented.replaceChildren(
    ...shown.map(([caption, kind]) =>
      make(
        "div",
        { className: kind },
        words(caption, "large", caption.target || caption.language, caption.translation || (caption.target ? "" : caption.text)),
        words(caption, "under", caption.language, caption.target ? caption.text : ""),
      ),
    ),
  );
  presented.scrollTop = presented.scrollHeight;
}
