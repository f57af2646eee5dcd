"""The page in a real browser, over the real service and its engines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.actions import (
    HOSTILE,
    PHONE,
    SOON,
    SPOKEN,
    captions,
    faults_of,
    listen,
    saved,
    saved_bytes,
)
from tests.browser.conftest import OpenPage
from tests.support.documents import read_docx
from tests.support.recordings import librivox, path_of, word_error_rate
from tests.support.relay import relayed
from tests.support.server import Server

FAKE_DEVICES = ["Fake Audio Input 1", "Fake Audio Input 2"]
NOTE_DEVICES = """() => {
  window.asked = [];
  const media = navigator.mediaDevices;
  const ask = media.getUserMedia.bind(media);
  media.getUserMedia = (wanted) => { asked.push(wanted); return ask(wanted); };
}"""
NOTE_TRACKS = """() => {
  window.tracks = [];
  const media = navigator.mediaDevices;
  const ask = media.getUserMedia.bind(media);
  media.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    tracks.push(...stream.getTracks());
    return stream;
  };
}"""
# Chromium's fake devices cannot be taken away.
UNPLUG = """() => {
  const media = navigator.mediaDevices;
  media.enumerateDevices = async () => [];
  media.dispatchEvent(new Event("devicechange"));
}"""
PLUG_IN = """() => {
  delete navigator.mediaDevices.enumerateDevices;
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""


def heard(events: list[dict[str, Any]]) -> Callable[[str | bytes], None]:
    return lambda message: events.append(json.loads(message))


def test_a_spoken_sentence_becomes_captions_in_both_languages(open_page: OpenPage) -> None:
    page = open_page()
    listen(page)
    expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
    partial = page.locator("#live-partials .source")
    expect(partial).to_contain_text("Dashwood", timeout=SOON)
    expect(partial.locator(".held")).to_contain_text("Dashwood", timeout=SOON)
    expect(page.locator("#live-finals .source")).to_have_count(1, timeout=SOON)
    page.click("#live-stop")
    expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)

    assert word_error_rate([SPOKEN], [" ".join(captions(page, "source"))]) < 10
    translated = " ".join(captions(page, "translation"))
    assert {"considerar", "quanto", "poder"} <= set(re.findall(r"\w+", translated))
    expect(page.locator("#live-latency")).to_have_text(re.compile(r"^\d+\.\d s behind$"))
    expect(page.locator("#live-partials .caption")).to_have_count(0)

    name, text = saved(page, "#live-exports >> text=SRT")
    assert name == "captions.srt"
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n.+\n.+\n$", text)
    page.select_option("#live-which", "translation")
    assert saved(page, "#live-exports >> text=TXT")[1].strip() == translated
    assert saved(page, "#live-exports >> text=VTT")[1].startswith("WEBVTT\n\n00:00:0")
    page.select_option("#live-which", "both")
    name, data = saved_bytes(page, "#live-exports >> text=DOCX")
    assert name == "captions.docx"
    head, line = read_docx(data).rows
    assert head == ["", "English", "Portuguese"]
    assert [line[1], line[2]] == [*captions(page, "source"), *captions(page, "translation")]

    page.click("#live-present")
    expect(page.locator("#presenter .large")).to_have_text(translated)
    page.keyboard.press("Escape")
    expect(page.locator("#presenter")).to_be_hidden()


def test_a_broken_connection_costs_no_word_and_the_translation_is_spoken(
    open_page: OpenPage, server: Server
) -> None:
    with relayed(server.url) as relay:
        page = open_page(url=relay.url, expected="WebSocket")
        events: list[dict[str, Any]] = []
        page.on("websocket", lambda socket: socket.on("framereceived", heard(events)))
        listen(page, speak=True)
        expect(page.locator("#live-partials .source")).to_contain_text("Dashwood", timeout=SOON)
        assert relay.cut() > 0
        expect(page.locator("#live-state")).to_have_text("reconnecting …", timeout=SOON)
        expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
        expect(page.locator("#live-finals .source")).to_have_count(1, timeout=SOON)
        page.click("#live-stop")
        expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)
        assert word_error_rate([SPOKEN], [" ".join(captions(page, "source"))]) < 10
        ready = [event["resumed"] for event in events if event["type"] == "ready"]
        assert ready == [False, True]
        assert next(event["language"] for event in events if event["type"] == "audio") == "pt"
        page.close()


def test_the_target_may_change_while_somebody_speaks(open_page: OpenPage) -> None:
    page = open_page()
    listen(page, target="")
    expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
    expect(page.locator("#live-source")).to_be_disabled()
    page.select_option("#live-target", "pt")
    expect(page.locator("#live-target-name")).to_have_text("Portuguese")
    expect(page.locator("#live-finals .translation")).to_contain_text("considerar", timeout=SOON)
    page.click("#live-stop")
    expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)
    expect(page.locator("#live-problem")).to_be_empty()


def test_a_microphone_is_chosen_by_name_and_remembered(open_page: OpenPage) -> None:
    """The browser's devices have names once one was allowed, and one that is unplugged is gone."""
    page = open_page()
    names = page.locator("#live-input option")
    expect(names).to_have_text(["Microphone", *FAKE_DEVICES, "Tab or system sound"])
    page.select_option("#live-input", label=FAKE_DEVICES[1])
    page.evaluate(NOTE_DEVICES)
    page.click("#live-start")
    expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
    asked = page.evaluate("asked[0].audio.deviceId.exact")
    assert asked == page.input_value("#live-input").partition(":")[2]
    page.click("#live-stop")
    expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)

    page.reload()
    expect(page.locator("#live-input option:checked")).to_have_text(FAKE_DEVICES[1])
    page.evaluate(UNPLUG)
    expect(names).to_have_text(["Microphone", "Tab or system sound"])
    expect(page.locator("#live-input")).to_have_value("microphone")
    page.evaluate(PLUG_IN)
    expect(page.locator("#live-input option:checked")).to_have_text(FAKE_DEVICES[1])
    page.select_option("#live-input", "microphone")
    page.reload()
    expect(names).to_have_count(4)
    expect(page.locator("#live-input")).to_have_value("microphone")


def test_a_microphone_that_is_unplugged_is_told(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(NOTE_TRACKS)
    listen(page)
    expect(page.locator("#live-finals .source")).to_have_count(1, timeout=SOON)
    page.evaluate("tracks[0].dispatchEvent(new Event('ended'))")
    expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)
    expect(page.locator("#live-problem")).to_contain_text("The microphone is gone.")
    expect(page.locator("#live-finals .source")).to_have_count(1)


def test_text_is_translated_as_it_is_typed(open_page: OpenPage) -> None:
    page = open_page("#text")
    page.select_option("#text-target", "pt")
    page.locator("#text-input").press_sequentially("Good morning, how are you today?", delay=5)
    expect(page.locator("#text-output")).to_contain_text("Bom dia", timeout=SOON)
    expect(page.locator("#text-detected")).to_have_text("Detected: English")
    expect(page.locator("#text-count")).to_have_text("32 characters")
    expect(page.locator("#text-route")).to_contain_text("bergamot:en-pt")

    page.click("#text-swap")
    assert page.input_value("#text-source") == "pt"
    expect(page.locator("#text-output")).to_contain_text("morning", timeout=SOON)
    assert page.input_value("#text-input").startswith("Bom dia")

    page.select_option("#text-source", "en")
    page.fill("#text-input", HOSTILE)
    expect(page.locator("#text-output")).to_contain_text("<img src", timeout=SOON)
    assert page.locator("main img").count() == 0
    assert page.title() == "Speech translator"


def test_a_file_becomes_subtitles_and_its_hostile_name_is_text(open_page: OpenPage) -> None:
    page = open_page("#files")
    page.select_option("#files-source", "en")
    page.select_option("#files-target", "pt")
    recording = {
        "name": f"{HOSTILE.replace('/', '')}.wav",
        "mimeType": "audio/wav",
        "buffer": path_of("0880").read_bytes(),
    }
    page.set_input_files("#files-input", [recording])  # type: ignore[list-item]
    expect(page.locator("#files-summary")).to_contain_text("<img src=x onerror", timeout=SOON)
    assert page.locator("main img").count() == 0
    assert page.title() == "Speech translator"
    rows = page.locator("#files-segments li")
    original = rows.locator(".source").all_inner_texts()
    assert word_error_rate([librivox()[1].text], [" ".join(original)]) < 15
    assert all(rows.locator(".translation").all_inner_texts())

    rows.last.locator("button").click()
    expect(rows.last).to_have_attribute("aria-current", "true")
    document = read_docx(saved_bytes(page, "#files-exports >> text=DOCX")[1])
    assert [row[1] for row in document.rows[1:]] == original
    assert set(document.languages) == {"en", "pt"}
    page.select_option("#files-which", "text")
    name, text = saved(page, "#files-exports >> text=SRT")
    assert name.endswith(".srt")
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n.+\n", text)
    _, document = saved(page, "#files-exports >> text=JSON")
    assert [one["text"] for one in json.loads(document)["segments"]] == original


def test_what_is_no_recording_is_refused_in_the_language_of_the_page(open_page: OpenPage) -> None:
    page = open_page("#files", locale="pt-BR", expected="415")
    expect(page.locator("#tab-files")).to_have_text("Arquivos")
    assert page.locator("html").get_attribute("lang") == "pt"
    nothing = {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"no sound at all" * 100}
    page.set_input_files("#files-input", [nothing])  # type: ignore[list-item]
    expect(page.locator("#files-problem")).to_have_text(
        "Isto não é áudio ou vídeo que se possa ler.", timeout=SOON
    )
    page.select_option("#page-language", "en")
    expect(page.locator("#tab-files")).to_have_text("Files")


def test_the_keyboard_reaches_all_three_tabs(open_page: OpenPage) -> None:
    page = open_page()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.locator("#tab-live").evaluate("tab => tab === document.activeElement"):
            break
    for key, tab in (("ArrowRight", "text"), ("End", "files"), ("ArrowRight", "live")):
        page.keyboard.press(key)
        expect(page.locator(f"#tab-{tab}")).to_be_focused()
        expect(page.locator("[role=tabpanel]:visible")).to_have_id(f"panel-{tab}")
    page.keyboard.press("Tab")
    expect(page.locator("#live-source")).to_be_focused()


def test_a_key_is_traded_for_tokens_and_goes_with_the_tab(
    open_page: OpenPage, server: Server
) -> None:
    page = open_page(expected="401")
    page.click("#access summary")
    page.fill("#key", "no-key-of-this-service")
    page.click("#key-form >> text=Use")
    expect(page.locator("#key-state")).to_have_text("The key is not valid, or no longer.")
    page.fill("#key", server.make_key())
    sent = []
    page.on("request", lambda request: sent.append((request.url, request.headers)))
    page.click("#key-form >> text=Use")
    expect(page.locator("#key-state")).to_have_text("A key is in use.")
    expect(page.locator("#usage li").first).to_contain_text("left")
    assert {url for url, headers in sent if "x-api-key" in headers} == {f"{server.url}/auth/token"}
    assert page.input_value("#key") == ""
    page.click("#key-forget")
    expect(page.locator("#key-state")).to_have_text("No key is needed here.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_fault(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme, viewport=PHONE)
    page.click("#access summary")
    found = []
    for tab in ("live", "text", "files"):
        page.click(f"#tab-{tab}")
        found += faults_of(page)
    assert found == []
