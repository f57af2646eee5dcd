"""Those who read along: by a link, in another browser, without a key."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.actions import HOSTILE, PHONE, SOON, SPOKEN, captions, faults_of, listen
from tests.browser.conftest import OpenPage
from tests.support.recordings import word_error_rate
from tests.support.relay import relayed
from tests.support.server import Server, start_server

STATE = "#reader-state"
BROKEN = "ERR_|404"  # a session is not there before its speaker is back


def share(page: Page) -> str:
    """Begin a shared session; its link, from the page's address on."""
    listen(page, share=True)
    link = page.locator("#live-link-address")
    expect(link).to_be_visible(timeout=SOON)
    return link.input_value().removeprefix(page.url.partition("#")[0])


def test_others_read_along_by_a_link(open_page: OpenPage) -> None:
    speaker = open_page()
    link = share(speaker)
    assert link.startswith("captions#")
    expect(speaker.locator("#live-link-note")).to_contain_text("works on this machine alone")

    reader = open_page(link, ready=STATE, locale="pt-BR")
    asked: list[Request] = []

    def heard(request: Request) -> None:
        asked.append(request)

    reader.on("request", heard)
    reader.reload()
    expect(reader.locator(STATE)).to_have_text("ao vivo", timeout=SOON)
    expect(reader.locator("#reader-language")).to_have_value("pt")
    expect(reader.locator("#reader-finals .caption")).to_have_count(1, timeout=SOON)
    translated = " ".join(captions(speaker, "translation"))
    assert captions(reader, "source", "#reader-finals") == [translated]
    assert reader.locator("#reader-finals p").get_attribute("lang") == "pt"
    reader.select_option("#reader-language", label="Como falado: Inglês")
    read = " ".join(captions(reader, "source", "#reader-finals"))
    assert word_error_rate([SPOKEN], [read]) < 10
    secret = link.partition(".")[2]
    assert [secret in request.url.partition("#")[0] for request in asked] == [False] * len(asked)
    keyed = {"x-api-key", "authorization"}
    assert not any(keyed & set(request.headers) for request in asked)
    assert [request.headers["x-share-secret"] for request in asked if "/captions/" in request.url]

    late = open_page(link, ready=f"{STATE}[data-state=following]", locale="de-DE")
    expect(late.locator("#reader-finals .caption")).to_have_count(1)
    assert captions(late, "source", "#reader-finals") == [translated]
    late.click("#reader-present")
    expect(late.locator("#presenter .large")).to_have_text(translated)

    speaker.click("#live-stop")
    for page, told in ((reader, "Quem fala encerrou a sessão."), (late, "has ended the session.")):
        expect(page.locator("#reader-reason")).to_contain_text(told, timeout=SOON)
        expect(page.locator("#reader-again")).to_be_hidden()
        expect(page.locator("#reader-finals .caption")).to_have_count(1)
    expect(speaker.locator("#live-link")).to_be_hidden()


def test_readers_have_languages_that_the_speaker_does_not_see(open_page: OpenPage) -> None:
    """Spanish is one of those that Apertium adds."""
    speaker = open_page()
    more = speaker.locator("#live-more")
    expect(more).to_be_hidden()
    speaker.select_option("#live-source", "en")
    speaker.select_option("#live-target", "pt")
    speaker.check("#live-share")
    expect(more.locator("[value=pt]")).to_have_count(0)
    more.select_option("es")
    link = share(speaker)
    reader = open_page(link, ready=f"{STATE}[data-state=following]", locale="es-MX")
    expect(reader.locator("#reader-language")).to_have_value("es")
    expect(reader.locator("#reader-finals p")).to_have_attribute("lang", "es", timeout=SOON)
    spanish = captions(reader, "source", "#reader-finals")
    expect(speaker.locator("#live-finals .translation")).to_have_attribute("lang", "pt")
    assert captions(speaker, "translation") != spanish
    reader.select_option("#reader-language", "pt")
    assert captions(reader, "source", "#reader-finals") == captions(speaker, "translation")

    speaker.click("#live-unshare")
    expect(more).to_be_hidden()
    expect(speaker.locator("#live-share")).not_to_be_checked()
    expect(speaker.locator("#live-problem")).to_be_empty()
    speaker.click("#live-stop")
    expect(speaker.locator("#live-state")).to_have_text("ended", timeout=SOON)


def test_a_speaker_who_shares_no_longer_is_not_read(open_page: OpenPage) -> None:
    speaker = open_page()
    link = share(speaker)
    reader = open_page(link, ready=f"{STATE}[data-state=following]")
    speaker.click("#live-unshare")
    expect(reader.locator("#reader-reason")).to_have_text(
        "The speaker no longer shares this session.", timeout=SOON
    )
    expect(speaker.locator("#live-link")).to_be_hidden()
    expect(speaker.locator("#live-finals .caption")).to_have_count(1, timeout=SOON)
    expect(speaker.locator("#live-state")).to_have_text("listening")
    other = open_page(link, ready=f"{STATE}[data-state=ended]", expected="404")
    expect(other.locator("#reader-reason")).to_contain_text("This link opens nothing")
    expect(other.locator("#reader-finals .caption")).to_have_count(0)


def test_a_reader_comes_back_by_itself_and_reads_nothing_twice(
    open_page: OpenPage, server: Server
) -> None:
    speaker = open_page()
    link = share(speaker)
    with relayed(server.url) as relay:
        reader = open_page(
            link, url=relay.url, ready=f"{STATE}[data-state=following]", expected="net::ERR"
        )
        expect(reader.locator("#reader-finals .caption")).to_have_count(1, timeout=SOON)
        with reader.expect_request("**/captions/*") as asked:
            assert relay.cut() > 0
        assert asked.value.headers["last-event-id"].isdecimal()
        expect(reader.locator(STATE)).to_have_text("live", timeout=SOON)
        expect(reader.locator("#reader-finals .caption")).to_have_count(1)
        speaker.click("#live-stop")
        expect(reader.locator("#reader-reason")).to_be_visible(timeout=SOON)
        expect(reader.locator("#reader-finals .caption")).to_have_count(1)
        reader.close()


def test_both_sides_outlive_a_server_that_is_killed(open_page: OpenPage, tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    with ExitStack() as both:
        first = both.enter_context(start_server(settings, keyed=False))
        relay = both.enter_context(relayed(first.url))
        speaker = open_page(url=relay.url, expected=BROKEN)
        link = share(speaker)
        following = f"{STATE}[data-state=following]"
        reader = open_page(link, url=relay.url, ready=following, expected=BROKEN)
        expect(reader.locator("#reader-finals .caption").first).to_be_visible(timeout=SOON)
        first.process.kill()
        expect(speaker.locator("#live-state")).to_have_text("reconnecting …", timeout=SOON)
        expect(reader.locator(STATE)).to_have_text("reconnecting …", timeout=SOON)
        second = both.enter_context(start_server(settings, keyed=False))
        relay.target = second.url
        expect(speaker.locator("#live-state")).to_have_text("listening", timeout=SOON)
        expect(reader.locator(STATE)).to_have_text("live", timeout=SOON)
        expect(speaker.locator("#live-link-address")).to_have_value(f"{relay.url}/{link}")
        speaker.click("#live-stop")
        expect(reader.locator("#reader-reason")).to_contain_text("has ended", timeout=SOON)
        read = captions(reader, "source", "#reader-finals")
        assert read == captions(speaker, "source")
        speaker.close()
        reader.close()


def test_captions_are_text_whatever_they_hold(open_page: OpenPage) -> None:
    """No engine makes such captions; the page would not run them."""
    session = {"session_id": "a", "source_language": "en", "target_languages": [HOSTILE]}
    final = {
        "segment_id": 1,
        "start": 0,
        "end": 1,
        "text": HOSTILE,
        "language": "en",
        "translations": {HOSTILE: HOSTILE},
    }
    partial = {**final, "segment_id": 2, "confirmed_chars": 3}
    events = (("session", session), ("final", final), ("partial", partial))
    body = "".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in events)
    reader = open_page("captions#", ready=f"{STATE}[data-state=ended]")

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    reader.route("**/captions/*", answer)
    reader.goto(f"{reader.url.partition('#')[0]}#a.b")
    expect(reader.locator("#reader-finals p")).to_have_text([HOSTILE], timeout=SOON)
    reader.click("#reader-present")
    expect(reader.locator("#presenter .large").first).to_have_text(HOSTILE)
    reader.keyboard.press("Escape")
    reader.select_option("#reader-language", value="")
    expect(reader.locator("#reader-finals p")).to_have_text([HOSTILE])
    assert reader.locator("main img, main b").count() == 0
    assert reader.title() == "Speech translator"


def test_a_transcript_is_not_read_out_to_who_comes_late(open_page: OpenPage) -> None:
    """What comes at once is drawn at once; a screen reader is told of single captions alone."""
    events = [("session", {"session_id": "a", "source_language": "en", "target_languages": []})]
    for number in range(1, 33):
        final = {"segment_id": number, "start": number, "end": number + 0.5, "language": "en"}
        events.append(("final", {**final, "text": f"Sentence {number}.", "translations": {}}))
    body = "".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in events)
    reader = open_page("captions#", ready=f"{STATE}[data-state=ended]")

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    reader.route("**/captions/*", answer)
    reader.goto(f"{reader.url.partition('#')[0]}#a.b")
    finals = reader.locator("#reader-finals")
    expect(finals.locator(".caption")).to_have_count(32, timeout=SOON)
    expect(finals).to_have_attribute("aria-live", "off")


def test_both_sides_of_a_link_are_accessible_on_a_phone(open_page: OpenPage) -> None:
    for scheme in ("light", "dark"):
        speaker = open_page(color_scheme=scheme, viewport=PHONE)
        link = share(speaker)
        assert urlsplit(link).query == ""
        assert faults_of(speaker) == []
        reader = open_page(
            link, ready=f"{STATE}[data-state=following]", color_scheme=scheme, viewport=PHONE
        )
        expect(reader.locator("#reader-finals .caption")).to_have_count(1, timeout=SOON)
        for _ in range(3):
            reader.click("#reader-larger")
        assert faults_of(reader) == []
        speaker.click("#live-stop")
        expect(reader.locator("#reader-over")).to_be_visible(timeout=SOON)
        assert faults_of(reader) == []
