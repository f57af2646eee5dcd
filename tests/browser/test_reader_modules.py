"""How captions are read, without the service: the stream, its breaks and its end."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

READER = """
  const {CaptionReader} = await import("./assets/caption-reader.js");
  let time = 1000000;
  const asked = [];
  const events = [];
  const states = [];
  const answers = [];
  const waits = [];
  const plain = window.setTimeout;
  let isQuiet = () => {};
  // Waits pass at once, and the clock with them; that for a quiet connection does not end.
  window.setTimeout = (call, ms) => {
    if (ms === 45000) {
      isQuiet = call;
      return 0;
    }
    waits.push(ms);
    time += ms;
    return plain(call, 0);
  };
  const reader = new CaptionReader({
    now: () => time,
    open: async (lastId, signal) => {
      asked.push(lastId);
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError("no network");
      return typeof answer === "function" ? answer(signal) : answer;
    },
    onEvent: (event) => events.push(event),
    onState: (name, reason) => states.push(reason ? `${name}: ${reason}` : name),
  });
  const event = (type, data, id) => `${id ? `id: ${id}\\n` : ""}event: ${type}\\n` +
    `data: ${JSON.stringify(data)}\\n\\n`;
  const told = (...parts) => new Response(parts.join(""));
  const refused = (status, headers = {}) => new Response("{}", {status, headers});
"""


def reading(page: Page, code: str) -> Any:
    return page.evaluate(
        f"""async () => {{
          const setTimeout = window.setTimeout;
          try {{ {READER} {code} }} finally {{ window.setTimeout = setTimeout; }}
        }}"""
    )


STREAM = (
    "retry: 2000\nevent: session\ndata: {}\n\n:\n\nid: 7\nevent: final\ndata: a\ndata:b\r\n\r\n"
    "event: none\n\ndata: ü\r\runfinished"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_is_read_however_it_is_cut(page: Page, size: int) -> None:
    events = page.evaluate(
        """async ([text, size]) => {
          const {EventStreamParser} = await import("./assets/event-stream.js");
          const parser = new EventStreamParser();
          const found = [];
          for (let i = 0; i < text.length; i += size) {
            found.push(...parser.push(text.slice(i, i + size)));
          }
          return found;
        }""",
        [STREAM, size],
    )
    assert events == [
        {"type": "session", "data": "{}", "id": None},
        {"type": "final", "data": "a\nb", "id": "7"},
        {"type": "message", "data": "ü", "id": None},
    ]


def test_a_reader_goes_on_behind_what_it_has(page: Page) -> None:
    asked, told, states, waits = reading(
        page,
        """
        answers.push(
          told(event("session", {}), event("final", {segment_id: 4}, 4), ":\\n\\n"),
          told(event("session", {}), event("final", {segment_id: 5}, 5),
               event("done", {reason: "end"})),
        );
        await reader.run();
        return [asked, events.map(({type, segment_id: id}) => id ?? type), states, waits];
        """,
    )
    assert asked == ["", "4"]
    assert told == ["session", 4, "session", 5]
    assert states == ["connecting", "following", "reconnecting", "following", "ended: end"]
    assert len(waits) == 1
    assert 250 <= waits[0] <= 750


def test_a_link_that_opens_nothing_is_not_asked_again(page: Page) -> None:
    asked, states = reading(
        page, "answers.push(refused(404)); await reader.run(); return [asked, states];"
    )
    assert (asked, states) == ([""], ["connecting", "ended: notShared"])


def test_a_session_that_was_read_is_waited_for_as_long_as_it_may_come_back(page: Page) -> None:
    """Its server is being restarted, and its speaker is on the way."""
    back, gone, passed = reading(
        page,
        """
        answers.push(told(event("session", {})), refused(404), refused(404),
                     told(event("done", {reason: "unshared"})));
        await reader.run();
        const back = states.splice(0);
        answers.push(told(event("session", {})), ...Array(60).fill().map(() => refused(404)));
        const since = time;
        await reader.run();
        return [back, states.at(-1), time - since];
        """,
    )
    assert back[-3:] == ["reconnecting", "following", "ended: unshared"]
    assert gone == "ended: notShared"
    assert 120_000 <= passed <= 140_000


def test_a_full_session_is_asked_again_when_it_says_and_a_lost_one_given_up(page: Page) -> None:
    states, waits, last, passed = reading(
        page,
        """
        answers.push(refused(503, {"Retry-After": "10"}), refused(429, {"Retry-After": "20"}),
                     told(event("done", {reason: "end"})));
        await reader.run();
        const first = [[...states], [...waits]];
        const since = time;
        await reader.run();
        return [...first, states.at(-1), time - since];
        """,
    )
    assert states == ["connecting", "full", "full", "following", "ended: end"]
    assert [wait // 10_000 for wait in waits] == [1, 2]
    assert last == "ended: lost"
    assert 600_000 <= passed <= 620_000


def test_a_connection_that_tells_nothing_is_taken_for_broken(page: Page) -> None:
    """Not even the comments that come in silence."""
    states = reading(
        page,
        """
        answers.push((signal) => new Response(new ReadableStream({
          start(body) {
            signal.addEventListener("abort", () => body.error(signal.reason));
            plain(() => isQuiet(), 20);
          },
        })), told(event("done", {reason: "end"})));
        await reader.run();
        return states;
        """,
    )
    assert states == ["connecting", "following", "reconnecting", "following", "ended: end"]


def test_a_connection_that_is_never_answered_is_taken_for_broken(page: Page) -> None:
    """As behind a change of networks."""
    states = reading(
        page,
        """
        answers.push((signal) => new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          plain(() => isQuiet(), 20);
          plain(() => reject(new Error("never aborted")), 5000);
        }), told(event("done", {reason: "end"})));
        const began = performance.now();
        await reader.run();
        return [...states, asked.length, performance.now() - began < 4000];
        """,
    )
    assert states == ["connecting", "connecting", "following", "ended: end", 2, True]


def test_what_no_later_try_changes_is_told(page: Page) -> None:
    states = reading(page, "answers.push(refused(422)); await reader.run(); return states;")
    assert states == ["connecting", "ended: failed"]


def test_captions_are_read_in_a_language_that_may_change(page: Page) -> None:
    """What was not translated is read as it was said; what was told before is told once."""
    spoken, portuguese, running, french = page.evaluate(
        """async () => {
          const {ReadCaptions} = await import("./assets/captions.js");
          const captions = new ReadCaptions();
          const event = (type, segment_id, text, translations) =>
            ({type, segment_id, start: 0, end: 1, text, language: "en", translations});
          const one = event("final", 1, "Yes.", {pt: "Sim.", fr: "Oui."});
          captions.take(one);
          captions.take(event("final", 2, "No.", {fr: "Non."}));
          captions.take(one);
          captions.take({...event("partial", 3, "Well", {fr: "Eh"}), confirmed_chars: 2});
          const texts = (list) => list.map(({text, language, confirmed}) =>
            [text, language, confirmed]);
          const all = () => [texts(captions.finals), texts(captions.partials)];
          const spoken = all();
          captions.language = "pt";
          const portuguese = all();
          captions.language = "fr";
          const running = texts(captions.partials);
          captions.take(event("final", 3, "Well.", {fr: "Eh bien."}));
          return [spoken, portuguese, running, all()];
        }"""
    )
    assert spoken == [[["Yes.", "en", "Yes."], ["No.", "en", "No."]], [["Well", "en", "We"]]]
    assert [text for text, *_ in portuguese[0]] == ["Sim.", "No."]
    assert [language for _, language, _ in portuguese[0]] == ["pt", "en"]
    assert portuguese[1] == []
    assert running == [["Eh", "fr", ""]]
    assert [text for text, *_ in french[0]] == ["Oui.", "Non.", "Eh bien."]
    assert french[1] == []
