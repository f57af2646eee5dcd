// Server-sent events out of a body that `fetch` reads, by the HTML standard
// (https://html.spec.whatwg.org/multipage/server-sent-events.html); `retry` is left to the caller.
// EventSource itself sends no headers, and so no secret.

export class EventStreamParser {
  #rest = "";
  #event = { type: "message", data: [], id: null };

  // Takes text, cut anywhere; gives the events that it completes: {type, data, id}, where id is null
  // for one that has none.
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (!line) return this.#end();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event.type = value;
    else if (name === "data") this.#event.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#event.id = value;
    return null; // a colon in front begins a comment
  }

  #end() {
    const { type, data, id } = this.#event;
    this.#event = { type: "message", data: [], id: null };
    return data.length ? { type, data: data.join("\n"), id } : null;
  }
}
