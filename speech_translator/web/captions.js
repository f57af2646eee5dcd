// The captions of live sessions: finals in order, and what is running, by segment. No document.

export class Captions {
  finals = []; // {start, end, text, language, translation, target}
  #partials = new Map();

  // Takes an event; true where something changed. shown: {target, others}, the language to show and
  // those that others read. What ran when a connection broke is heard again, under another number.
  take(event, offset, shown) {
    const { type, segment_id: segment } = event;
    if (type === "ready") {
      this.#partials.clear();
      return true;
    }
    if (type === "partial") {
      if (event.text) this.#partials.set(segment, caption(event, offset, shown));
      else this.#partials.delete(segment);
      return true;
    }
    if (type === "final") {
      this.#partials.delete(segment);
      this.finals.push(caption(event, offset, shown));
      return true;
    }
    return type === "error" && this.#partials.delete(segment);
  }

  get partials() {
    return [...this.#partials.values()];
  }

  dropPartials() {
    this.#partials.clear();
  }
}

// What ended before another target was chosen is shown in the one that it has.
function caption(event, offset, { target: wanted, others = [] }) {
  const { [wanted]: translated, ...rest } = event.translations;
  const before = Object.keys(rest).find((code) => !others.includes(code));
  const target = translated === undefined ? (before ?? wanted) : wanted;
  return {
    start: event.start + offset,
    end: event.end + offset,
    text: event.text,
    // Counted in characters as Python counts them, which are not always one unit in JavaScript.
    confirmed: [...event.text].slice(0, event.confirmed_chars ?? Infinity).join(""),
    language: event.language ?? "",
    translation: event.translations[target] ?? "",
    target,
  };
}

// The captions that a reader of a session sees: one language, which may change at any time.
export class ReadCaptions {
  language = ""; // as spoken
  #finals = []; // events
  #partial = null;

  // Languages that something was translated into: a speaker may change them.
  get translated() {
    const events = [...this.#finals, ...(this.#partial ? [this.#partial] : [])];
    return [...new Set(events.flatMap(({ translations }) => Object.keys(translations)))];
  }

  // Takes an event; what was told before is told again where the service could not know that.
  take(event) {
    if (event.type === "partial") this.#partial = event;
    else if (event.segment_id > (this.#finals.at(-1)?.segment_id ?? 0)) {
      this.#finals.push(event);
      if (this.#partial?.segment_id <= event.segment_id) this.#partial = null;
    }
  }

  get finals() {
    return this.#finals.map((event) => this.#read(event));
  }

  get partials() {
    return this.#partial ? [this.#read(this.#partial)].filter(({ text }) => text) : [];
  }

  dropPartials() {
    this.#partial = null;
  }

  // A final that could not be translated is read as it was said.
  #read(event) {
    const asSpoken = caption({ ...event, translations: {} }, 0, { target: "" });
    const spoken = !this.language || event.language === this.language;
    const translated = event.translations[this.language];
    if (spoken || (event.type === "final" && translated === undefined)) return asSpoken;
    return { ...asSpoken, text: translated ?? "", confirmed: "", language: this.language };
  }
}
