"""The page's modules that know no document, in the browser that they are written for."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Page

from speech_translator.exports import to_docx
from speech_translator.scalability.results import TranscribedSegment
from tests.support.documents import read_docx


def run(page: Page, code: str, argument: object = None) -> Any:
    return page.evaluate(code, argument)


SEGMENTS = [
    {
        "start": 0.5,
        "end": 2.0,
        "text": "Hello,\n\nyou --> there",
        "translation": "<b>Olá</b> & você",
    },
    {"start": 3661.25, "end": 3662.0, "text": "  ", "translation": ""},
    {"start": 3661.25, "end": 3662.9996, "text": "End.", "translation": "Fim."},
]


def test_subtitles_hold_what_was_said_and_nothing_that_breaks_them(page: Page) -> None:
    srt, vtt, text = run(
        page,
        """async (segments) => {
          const {toSrt, toVtt, toText} = await import("./assets/exports.js");
          const translated = toText(segments, "translation");
          return [toSrt(segments, "both"), toVtt(segments, "both"), translated];
        }""",
        SEGMENTS,
    )
    assert srt == (
        "1\n00:00:00,500 --> 00:00:02,000\nHello, you --> there\n<b>Olá</b> & você\n\n"
        "2\n01:01:01,250 --> 01:01:03,000\nEnd.\nFim.\n"
    )
    assert vtt == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nHello, you --&gt; there\n"
        "&lt;b&gt;Olá&lt;/b&gt; &amp; você\n"
        "\n01:01:01.250 --> 01:01:03.000\nEnd.\nFim.\n"
    )
    assert text == "<b>Olá</b> & você\nFim.\n"


def test_a_document_holds_what_was_said_as_the_service_writes_it(page: Page) -> None:
    """Nothing that stands in it is markup, or breaks the file."""
    said = [
        {
            "start": 6,
            "text": "Hello & <b>you</b>.",
            "translation": "\u200fשלם.",
            "language": "en",
        },
        {"start": 60, "text": " ", "translation": ""},
        {"start": 3671, "text": "Bye.\ufffe\x00\ud800", "translation": "Ü 🙂", "language": '"<'},
    ]
    both, text, translation, empty = (
        read_docx(base64.b64decode(document))
        for document in run(
            page,
            """async (segments) => {
              const {toDocx} = await import("./assets/exports.js");
              const encoded = async (...asked) => {
                const bytes = new Uint8Array(await new Blob(toDocx(...asked)).arrayBuffer());
                return btoa(String.fromCharCode(...bytes));
              };
              const target = segments.map((segment) => ({...segment, target: "he"}));
              return Promise.all([
                encoded(target, "both", ["English", "<i>Hebrew</i>"]),
                encoded(segments, "text", []),
                encoded(segments, "translation", []),
                encoded([], "both", []),
              ]);
            }""",
            said,
        )
    )
    assert both.rows == [
        ["", "English", "<i>Hebrew</i>"],
        ["0:06", "Hello & <b>you</b>.", "\u200fשלם."],
        ["1:01:11", "Bye.", "Ü 🙂"],
    ]
    assert both.languages == ["en", "he", '"<', "he"]
    assert both.right_to_left == ["\u200fשלם."]
    assert text.paragraphs == ["0:06  Hello & <b>you</b>.", "1:01:11  Bye."]
    assert translation.paragraphs == ["0:06  \u200fשלם.", "1:01:11  Ü 🙂"]
    assert (empty.paragraphs, empty.rows) == ([], [])
    ours = to_docx([TranscribedSegment(0, 6, 7.0, "Hello & <b>you</b>.", 0.9)])
    assert read_docx(ours).paragraphs == text.paragraphs[:1]


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_sound_of_any_rate_keeps_its_tone_and_gains_no_other(page: Page, rate: int) -> None:
    """A tone below 8 kHz comes out as it was, one above is gone; pieces leave no seams."""
    kept, gone, apart, length = run(
        page,
        """async (rate) => {
          const {Resampler} = await import("./assets/resampler.js");
          const tone = (hertz) =>
            Float32Array.from({length: rate}, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
          const level = (samples) => Math.sqrt(
            samples.slice(400, -400).reduce((sum, one) => sum + one * one, 0) /
              (samples.length - 800));
          const all = (samples, size) => {
            const resampler = new Resampler(rate, 16000);
            const output = [];
            for (let i = 0; i < samples.length; i += size) {
              output.push(...resampler.process(samples.subarray(i, i + size)));
            }
            return output;
          };
          const speech = all(tone(1000), 128);
          const whole = all(tone(1000), rate);
          const expected = (i) => Math.sin((2 * Math.PI * 1000 * i) / 16000);
          return [
            Math.max(...speech.slice(400, -400).map((one, i) => Math.abs(one - expected(i + 400)))),
            rate > 16000 ? level(all(tone(Math.min(9500, rate * 0.45)), 128)) : 0,
            Math.max(...speech.map((one, i) => Math.abs(one - whole[i]))),
            speech.length,
          ];
        }""",
        rate,
    )
    assert kept < 0.003
    assert gone < 0.003
    assert apart == 0
    assert 16_000 - 40 <= length <= 16_000


def test_sound_that_is_kept_too_long_is_read_as_silence(page: Page) -> None:
    found = run(
        page,
        """async () => {
          const {AudioKeeper} = await import("./assets/audio-keeper.js");
          const keeper = new AudioKeeper(30);
          for (let i = 1; i <= 6; i += 1) keeper.append(new Int16Array(10).fill(i));
          const read = (from) => [...(keeper.read(from, 10) ?? [])];
          const pieces = [15, 25, 35, 58, 60].map(read);
          const before = [keeper.start, keeper.end, ...pieces];
          keeper.forget(45);
          return [...before, keeper.start];
        }""",
    )
    start, end, lost, border, middle, last, none, kept = found
    assert (start, end) == (30, 60)
    assert lost == [0] * 10
    assert border == [0] * 5
    assert middle == [4] * 5
    assert last == [6] * 2
    assert none == []
    assert kept == 40


def test_captions_count_characters_as_the_service_does(page: Page) -> None:
    """A partial gives way to the next one, to its final, and where the session goes on."""
    found = run(
        page,
        """async () => {
          const {Captions} = await import("./assets/captions.js");
          const captions = new Captions();
          const event = (rest) => ({segment_id: 1, start: 1, end: 2, language: "en",
            translations: {}, ...rest});
          const partial = event({type: "partial", text: "🙂 good day", confirmed_chars: 6});
          captions.take(partial, 0, {target: "pt"});
          const [{confirmed}] = captions.partials;
          captions.take(event({type: "partial", text: ""}), 0, {target: "pt"});
          const back = captions.partials.length;
          captions.take(partial, 0, {target: "pt"});
          const final = (text, pt) => event({type: "final", text, translations: {pt}});
          captions.take(final("Good.", "Bom."), 0, {target: "pt"});
          const pt = {target: "pt"};
          captions.take(event({type: "partial", text: "And", confirmed_chars: 0}), 10, pt);
          captions.take(final("And?", "E?"), 10, pt);
          captions.take(partial, 10, pt);
          captions.take({type: "ready"}, 10, pt);
          return [confirmed, back, captions.partials.length,
            captions.finals.map(({start, text, translation}) => [start, text, translation])];
        }""",
    )
    assert found == ["🙂 good", 0, 0, [[1, "Good.", "Bom."], [11, "And?", "E?"]]]


@pytest.mark.parametrize(
    ("translations", "target", "others", "shown"),
    [
        ({"es": "Sí.", "pt": "Sim."}, "pt", ["es"], ["pt", "Sim."]),
        ({"es": "Sí."}, "pt", ["es"], ["pt", ""]),  # it failed; what others read is not it
        ({"fr": "Oui.", "es": "Sí."}, "pt", ["es"], ["fr", "Oui."]),  # another one was chosen
        ({"es": "Sí."}, "", ["es"], ["", ""]),
        ({}, "pt", [], ["pt", ""]),
    ],
)
def test_of_several_translations_the_chosen_one_is_shown(
    page: Page, translations: dict[str, str], target: str, others: list[str], shown: list[str]
) -> None:
    found = run(
        page,
        """async ([translations, target, others]) => {
          const {Captions} = await import("./assets/captions.js");
          const captions = new Captions();
          const event = {type: "final", segment_id: 1, start: 0, end: 1, text: "Yes."};
          captions.take({...event, language: "en", translations}, 0, {target, others});
          const [{target: language, translation}] = captions.finals;
          return [language, translation];
        }""",
        [translations, target, others],
    )
    assert found == shown


SOCKETS = """
  const {LiveClient} = await import("./assets/live-client.js");
  const sockets = [], events = [], states = [];
  let time = 0;
  class Socket extends EventTarget {
    bufferedAmount = 0;
    sent = [];
    send(data) { this.sent.push(typeof data === "string" ? JSON.parse(data) : [...data]); }
    close() { this.closed = true; }
    open() { this.dispatchEvent(new Event("open")); }
    tell(event) {
      this.dispatchEvent(new MessageEvent("message", {data: JSON.stringify(event)}));
    }
    drop(code, reason = "") { this.dispatchEvent(new CloseEvent("close", {code, reason})); }
    heard() { return this.sent.filter(Array.isArray).flat(); }
    said() { return this.sent.filter((one) => !Array.isArray(one)); }
  }
  const next = async (place) => {
    for (let i = 0; i < 500 && sockets.length <= place; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return sockets[place];
  };
  const client = new LiveClient({source_language: "en"}, {
    open: async () => { sockets.push(new Socket()); return sockets.at(-1); },
    onEvent: (event, offset, session) => events.push([event.type, offset, session]),
    onState: (name, problem) => states.push(problem ? `${name}: ${problem.code}` : name),
    now: () => time,
  });
  const second = (value) => new Int16Array(16000).fill(value);
  const ready = (seq, rest) => ({type: "ready", seq, resumed: false, audio_s: 0,
    resume_token: `token ${seq}`, ...rest});
"""


def live(page: Page, code: str) -> Any:
    return run(page, f"async () => {{ {SOCKETS} {code} }}")


def test_a_session_goes_on_where_the_service_says(page: Page) -> None:
    first, again, ends, states = live(
        page,
        """
        const one = await next(0);
        one.open();
        client.push(second(1)); client.push(second(2)); // before it is ready
        one.tell(ready(1));
        client.push(second(3));
        one.tell({type: "ack", seq: 5, audio_s: 1});
        one.drop(1006);
        client.push(second(4)); // while there is no connection
        const two = await next(1);
        two.open();
        two.tell(ready(7, {resumed: true, audio_s: 1.5}));
        client.end();
        two.tell({type: "done", seq: 8, reason: "end"});
        two.drop(1000, "end");
        const count = (socket) => [1, 2, 3, 4].map((value) =>
          socket.heard().filter((sample) => sample === value).length);
        const [resume, ...ends] = two.said();
        return [[one.said()[0], count(one)], [resume, count(two)], ends, states];
        """,
    )
    assert first == [{"source_language": "en"}, [16_000, 16_000, 16_000, 0]]
    assert again == [
        {"type": "resume", "token": "token 1", "last_seq": 5},
        [0, 8000, 16_000, 16_000],
    ]
    assert ends == [{"type": "end"}]
    assert states == ["connecting", "ready", "reconnecting", "reconnecting", "ready", "ended"]


def test_what_was_not_acknowledged_goes_into_a_new_session(page: Page) -> None:
    """When the service kept nothing; times then count from where that one begins."""
    first, heard, events = live(
        page,
        """
        const one = await next(0);
        one.open(); one.tell(ready(1));
        client.push(second(1)); client.push(second(2));
        one.tell({type: "ack", seq: 4, audio_s: 1});
        one.drop(1006);
        const two = await next(1);
        two.open();
        two.tell({type: "error", seq: 1, code: "resume_refused", fatal: true, message: ""});
        two.drop(1008, "resume_refused");
        const three = await next(2);
        three.open(); three.tell(ready(1));
        three.tell({type: "final", seq: 2});
        client.abandon();
        return [three.said()[0], [...new Set(three.heard())], events];
        """,
    )
    assert first == {"source_language": "en"}
    assert heard == [2]
    assert events == [["ready", 0, 1], ["ready", 1, 2], ["final", 1, 2]]


@pytest.mark.parametrize(
    ("code", "reason", "ended"),
    [
        (1008, "unauthenticated", "ended: unauthenticated"),
        (1008, "limit_exceeded", "ended: limit_exceeded"),
        (4001, "superseded", "ended: superseded"),
        (1009, "payload_too_large", "ended: payload_too_large"),
        (1008, "slow_consumer", "reconnecting"),
        (1012, "draining", "reconnecting"),
        (1013, "overloaded", "reconnecting"),
        (1011, "internal", "reconnecting"),
    ],
)
def test_a_close_is_final_or_not(page: Page, code: int, reason: str, ended: str) -> None:
    states = live(
        page,
        f"""
        const one = await next(0);
        one.open(); one.tell(ready(1));
        one.drop({code}, "{reason}");
        const last = states.at(-1);
        client.abandon();
        return [last, states.at(-1).split(":")[0]];
        """,
    )
    assert states == [ended, "ended"]


def test_a_service_that_stops_is_left_for_a_new_session(page: Page) -> None:
    first = live(
        page,
        """
        const one = await next(0);
        one.open(); one.tell(ready(1));
        one.tell({type: "done", seq: 2, reason: "shutting_down"});
        one.drop(1012, "shutting_down");
        const two = await next(1);
        two.open();
        client.abandon();
        return two.said()[0];
        """,
    )
    assert first == {"source_language": "en"}


def test_a_service_that_refuses_from_the_start_is_not_asked_for_ever(page: Page) -> None:
    sockets, last = live(
        page,
        """
        for (let i = 0; i < 4; i += 1) (await next(i)).drop(1006);
        return [sockets.length, states.at(-1)];
        """,
    )
    assert (sockets, last) == (4, "ended: refused")


def test_what_was_said_before_the_first_connection_stood_is_heard(page: Page) -> None:
    heard, said = live(
        page,
        """
        client.push(second(1));
        client.end();
        const one = await next(0);
        one.open(); one.tell(ready(1));
        client.abandon();
        return [one.heard().length, one.said().at(-1)];
        """,
    )
    assert (heard, said) == (16_000, {"type": "end"})


def test_a_stop_while_the_connection_is_lost_still_brings_the_last_words(page: Page) -> None:
    heard, said, last = live(
        page,
        """
        const one = await next(0);
        one.open(); one.tell(ready(1));
        one.drop(1006);
        client.push(second(1));
        client.end();
        client.push(second(2)); // after the end: not heard
        const two = await next(1);
        two.open(); two.tell(ready(3, {resumed: true}));
        two.tell({type: "done", seq: 4, reason: "end"});
        two.drop(1000, "end");
        return [[...new Set(two.heard())], two.said().at(-1), states.at(-1)];
        """,
    )
    assert (heard, said, last) == ([1], {"type": "end"}, "ended")


def test_a_connection_that_tells_nothing_any_more_is_taken_for_broken(page: Page) -> None:
    """As after a change of networks, which the browser may not notice for minutes."""
    before, closed, first = live(
        page,
        """
        const one = await next(0);
        one.open(); one.tell(ready(1));
        time += 29_000;
        one.tell({type: "ack", seq: 3, audio_s: 0});
        time += 29_000;
        client.push(second(1));
        const before = states.at(-1);
        time += 2_000;
        client.push(second(2));
        const two = await next(1);
        two.open();
        client.abandon();
        return [before, one.closed, two.said()[0]];
        """,
    )
    assert (before, closed) == ("ready", True)
    assert first == {"type": "resume", "token": "token 1", "last_seq": 3}


def test_a_connection_that_does_not_open_is_taken_for_broken(page: Page) -> None:
    closed, first = live(
        page,
        """
        const one = await next(0);
        time += 30_000;
        client.push(second(1));
        const two = await next(1);
        two.open(); two.tell(ready(1));
        client.abandon();
        return [one.closed, two.heard().length];
        """,
    )
    assert (closed, first) == (True, 16_000)


def test_the_screen_stays_on_for_as_long_as_captions_run(page: Page) -> None:
    """A lock that comes after the end is given back; one that was taken is asked for again."""
    late, on, hidden, seen, again, off = run(
        page,
        """async () => {
          const {stayAwake} = await import("./assets/awake.js");
          const locks = [];
          const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
          class Lock extends EventTarget {
            held = true;
            async release() {
              this.held = false;
              await settled();
              this.dispatchEvent(new Event("release"));
            }
          }
          const request = async () => { locks.push(new Lock()); return locks.at(-1); };
          Object.defineProperty(navigator, "wakeLock", {value: {request}, configurable: true});
          const held = async () => { await settled(); return locks.map((lock) => lock.held); };
          stayAwake(true); stayAwake(false);
          const late = await held();
          stayAwake(true); stayAwake(true);
          const on = await held();
          await locks.find((lock) => lock.held).release();
          const hidden = await held();
          document.dispatchEvent(new Event("visibilitychange"));
          const seen = await held();
          stayAwake(false); stayAwake(true);
          const again = await held();
          stayAwake(false);
          return [late, on, hidden, seen, again, await held()];
        }""",
    )
    assert late == [False]
    assert sum(on) == 1
    assert not any(hidden)
    assert (sum(seen), sum(again)) == (1, 1)
    assert not any(off)


def test_speech_that_is_stopped_is_silent_and_what_comes_later_is_heard(page: Page) -> None:
    left, stopped = run(
        page,
        """async (audio) => {
          const {Speaker} = await import("./assets/speaker.js");
          let stopped = 0;
          const stop = AudioBufferSourceNode.prototype.stop;
          AudioBufferSourceNode.prototype.stop = function (...given) {
            stopped += 1;
            return stop.apply(this, given);
          };
          const speaker = new Speaker();
          const left = [];
          const say = () => speaker.play({audio, sample_rate: 8000});
          const note = () => left.push(Math.round(speaker.left));
          for (const step of [say, say, note, () => speaker.hush(), note, say, note]) step();
          speaker.stop();
          return [left, stopped];
        }""",
        base64.b64encode(bytes(2 * 8_000)).decode(),
    )
    assert left == [2, 0, 1]
    assert stopped == 2


def test_other_targets_hold_wherever_the_session_goes_on(page: Page) -> None:
    one, two, three = live(
        page,
        """
        const pt = {target_languages: ["pt"], speech: false};
        const one = await next(0);
        client.update({target_languages: ["fr"], speech: true}); // before it stands
        one.open(); one.tell(ready(1));
        client.update(pt);
        one.drop(1006);
        const two = await next(1);
        two.open(); two.tell(ready(3, {resumed: true}));
        two.tell({type: "updated", seq: 4, ...pt});
        two.drop(1006);
        const three = await next(2);
        three.open(); three.tell(ready(5, {resumed: true}));
        client.abandon();
        return [one.said(), two.said(), three.said()];
        """,
    )
    pt = {"target_languages": ["pt"], "speech": False}
    assert one[1:] == [{"type": "update", **pt}]
    assert [said["type"] for said in two] == ["resume", "update"]
    assert two[1] == {"type": "update", **pt}
    assert [said["type"] for said in three] == ["resume"]


def test_a_session_is_not_shared_any_more_wherever_it_goes_on(page: Page) -> None:
    """Said again after a break that swallowed it, and not asked for by a session that follows."""
    said, again, anew = live(
        page,
        """
        client.request = {source_language: "en", share: true};
        const one = await next(0);
        one.open(); one.tell(ready(1));
        client.unshare();
        one.drop(1006);
        const two = await next(1);
        two.open(); two.tell(ready(3, {resumed: true}));
        two.tell({type: "unshared", seq: 4});
        two.drop(1006);
        const three = await next(2);
        three.open(); three.tell(ready(5, {resumed: true}));
        three.tell({type: "done", seq: 6, reason: "shutting_down"});
        three.drop(1012, "shutting_down");
        const four = await next(3);
        four.open(); four.tell(ready(1));
        client.abandon();
        return [one.said(), [two.said(), three.said()], four.said()];
        """,
    )
    assert said == [{"source_language": "en", "share": True}, {"type": "unshare"}]
    assert [[one["type"] for one in socket] for socket in again] == [
        ["resume", "unshare"],
        ["resume"],
    ]
    assert anew == [{"source_language": "en", "share": False}]
