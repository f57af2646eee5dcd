// The captions of live sessions: finals in order, and what is running, by segment. No document.

export class Captions {
  finals = []; // {start, end, text, language, translation, target}
  #partials = new Map();

  // Takes an event; true where something changed. A session that could not be resumed goes on in a
  // new one, whose segments count anew.
  take(event, offset, session, target) {
    const key = `${session}:${event.segment_id}`;
    if (event.type === "partial") {
      if (event.text) this.#partials.set(key, caption(event, offset, target));
      else this.#partials.delete(key);
      return true;
    }
    if (event.type === "final") {
      this.#partials.delete(key);
      this.finals.push(caption(event, offset, target));
      return true;
    }
    return event.type === "error" && this.#partials.delete(key);
  }

  get partials() {
    return [...this.#partials.values()];
  }

  dropPartials() {
    this.#partials.clear();
  }
}

function caption(event, offset, target) {
  return {
    start: event.start + offset,
    end: event.end + offset,
    text: event.text,
    // Counted in characters as Python counts them, which are not always one unit in JavaScript.
    confirmed: [...event.text].slice(0, event.confirmed_chars ?? Infinity).join(""),
    language: event.language ?? "",
    translation: Object.values(event.translations)[0] ?? "", // one target was asked for
    target,
  };
}
