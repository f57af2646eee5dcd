// Captions on a page: finals are appended and never touched again, partials are drawn anew.

import { byId, make } from "./dom.js";
import { shortTime } from "./exports.js";

const NEAR_END = 48; // pixels; further up, somebody is reading
const PRESENTED = 3;
const SPOKEN = 4; // more finals at once are a transcript: a screen reader is not to read it all out

function words(className, lang, text, confirmed = text) {
  const element = make("p", { className, lang: lang ?? "", dir: "auto" });
  if (text === confirmed) element.textContent = text;
  else element.append(make("span", { className: "held", textContent: confirmed }), text.slice(confirmed.length));
  return element;
}

function row(caption, kind) {
  const { start, text, confirmed, language, translation, target } = caption;
  const time = make("span", { className: "time", textContent: shortTime(start), ariaHidden: "true" });
  const said = make("div", {}, time, words("source", language, text, confirmed));
  if (!target) return make("div", { className: `caption ${kind}` }, said);
  const translated = words("translation", target, translation);
  return make("div", { className: `columns caption ${kind}` }, said, translated);
}

function large(caption, kind) {
  const { text, language, translation, target } = caption;
  const alone = !target || (kind === "final" && !translation);
  if (alone) return make("div", { className: kind }, words("large", language, text));
  const under = words("under", language, text);
  return make("div", { className: kind }, words("large", target, translation), under);
}

export class CaptionList {
  #finals;
  #partials;
  #view;
  #empty;
  #presented = byId("presenter-lines");
  #following = true;

  // prefix: of the ids of the elements.
  constructor(prefix) {
    this.#finals = byId(`${prefix}-finals`);
    this.#partials = byId(`${prefix}-partials`);
    this.#view = byId(`${prefix}-captions`);
    this.#empty = byId(`${prefix}-empty`);
    this.#view.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#view;
      this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END;
    });
    const turned = new ResizeObserver(() => this.#toEnd()); // a phone, or letters of another size
    for (const element of [this.#view, this.#finals, this.#presented]) turned.observe(element);
  }

  #toEnd() {
    if (this.#following) this.#view.scrollTop = this.#view.scrollHeight;
    this.#presented.scrollTop = this.#presented.scrollHeight;
  }

  // Draws what is new of {finals, partials}; all of it, once it is in another language.
  draw({ finals, partials }, { anew = false } = {}) {
    if (anew || finals.length < this.#finals.childElementCount) this.#finals.replaceChildren();
    const fresh = finals.slice(this.#finals.childElementCount);
    if (fresh.length) this.#finals.ariaLive = fresh.length > SPOKEN ? "off" : "polite";
    this.#finals.append(...fresh.map((caption) => row(caption, "final")));
    this.#partials.replaceChildren(...partials.map((caption) => row(caption, "partial")));
    this.#empty.hidden = Boolean(finals.length || partials.length);
    this.#present(finals, partials);
    this.#toEnd();
  }

  #present(finals, partials) {
    this.#presented.replaceChildren(
      ...finals.slice(-PRESENTED).map((caption) => large(caption, "final")),
      ...partials.map((caption) => large(caption, "partial")),
    );
  }
}
