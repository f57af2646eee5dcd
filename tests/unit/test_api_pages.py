"""The page's files, as browsers ask for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import speech_translator
from speech_translator import errors
from speech_translator.api.brand import Brand, contrast
from speech_translator.errors import ConfigurationError
from speech_translator.streaming.sharing import SPEAKER_GONE, UNSHARED
from tests.support.api import running

WEB = Path(speech_translator.__file__).parent / "web"
HTML = {"accept": "text/html"}


@pytest.fixture
async def client(tmp_path):
    async with running(data_dir=tmp_path) as harness:
        yield harness.client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/captions",
        "/docs",
        "/assets/page.js",
        "/assets/page.css",
        "/assets/brand.css",
        "/assets/logo",
    ],
)
async def test_they_are_asked_about_each_time_and_sent_once(client, path):
    first = await client.get(path, headers=HTML)
    assert first.headers["cache-control"] == "no-cache"
    answer = await client.get(path, headers={**HTML, "if-none-match": first.headers["etag"]})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == first.headers["etag"]
    other = await client.get(path, headers={**HTML, "if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_every_module_that_another_one_imports_is_there(client):
    for module in WEB.glob("*.js"):
        code = module.read_text(encoding="utf-8")
        for name in re.findall(r'(?:from|import) "\./([^"]+)"', code):
            answer = await client.get(f"/assets/{name}")
            assert answer.status_code == 200, name
            assert answer.headers["content-type"].startswith("text/javascript")


def test_no_text_becomes_markup_and_none_is_run():
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\b|new Function"
    )
    for module in WEB.glob("*.js"):
        assert not unsafe.search(module.read_text(encoding="utf-8")), module.name


def texts_of(name):
    text = (WEB / name).read_text(encoding="utf-8")
    return re.findall(r'^  "?([\w-]+)"?:', text, re.MULTILINE)


def test_each_text_of_the_page_is_in_every_language():
    english, portuguese = texts_of("texts-en.js"), texts_of("texts-pt.js")
    assert english == portuguese
    assert len(set(english)) == len(english)
    named = set()
    for page in ("index.html", "reader.html"):
        html = (WEB / page).read_text(encoding="utf-8")
        named |= set(re.findall(r'data-(?:text|label|placeholder)="([^"]+)"', html))
    for module in WEB.glob("*.js"):
        named |= set(re.findall(r'\bt\("([^"]+)"', module.read_text(encoding="utf-8")))
    assert named <= set(english)


NOT_MET = {  # what a page sends is well formed, and some is an operator's to see
    "answer_not_kept",
    "configuration",
    "cross_site_request",
    "empty_text",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "invalid_audio",
    "invalid_field",
    "invalid_glossary",
    "invalid_markup",
    "invalid_request",
    "malformed_body",
    "method_not_allowed",
    "model_damaged",
    "model_missing",
    "not_found",
    "protocol_violation",
    "resume_refused",
    "slow_consumer",
    "too_many_texts",
    "unknown_language",
    "unsupported_format",
    "unsupported_media_type",
    "unsupported_voice",
    "untrusted_host",
}


def test_each_error_that_the_page_may_meet_is_told_in_its_language():
    def codes(error):
        yield error.code
        for child in error.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from codes(child)

    english = texts_of("texts-en.js")
    assert set(codes(errors.SpeechTranslatorError)) - NOT_MET <= set(english)


def test_a_reader_is_told_why_it_is_over():
    reasons = {"end", UNSHARED, SPEAKER_GONE}
    code = (WEB / "caption-reader.js").read_text(encoding="utf-8")
    reasons |= set(re.findall(r'#(?:finish|giveUp)\("(\w+)"', code))
    assert len(reasons) == 6
    told = {name for name in texts_of("texts-en.js") if name.startswith("over-")}
    assert told == {f"over-{reason}" for reason in reasons}


async def test_an_operator_gives_it_a_name_a_colour_and_a_logo(tmp_path):
    logo = tmp_path / "ours.PNG"
    logo.write_bytes(b"\x89PNG and so on")
    changes = {"page_name": '"><script>Tolk & Co', "page_colour": "#ffd400", "page_logo": logo}
    async with running(data_dir=tmp_path, **changes) as harness:
        page = (await harness.client.get("/", headers=HTML)).text
        assert 'content="&quot;&gt;&lt;script&gt;Tolk &amp; Co"' in page
        assert (
            'content="&quot;&gt;&lt;script&gt;Tolk &amp; Co"'
            in (await harness.client.get("/captions")).text
        )
        style = (await harness.client.get("/assets/brand.css")).text
        assert style.startswith(":root { --accent: rgb(")
        image = await harness.client.get("/assets/logo")
        assert image.headers["content-type"] == "image/png"
        assert image.content == logo.read_bytes()


@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#ffd400", "#1a56db", "#808080"])
def test_any_colour_can_be_read(colour):
    light, dark = re.findall(
        r"--accent: rgb\((.+?)\); --on-accent: rgb\((.+?)\)", Brand(colour=colour).css()
    )
    for (accent, on_accent), behind in ((light, "247, 248, 251"), (dark, "27, 31, 40")):
        shown, text, ground = (
            tuple(map(int, rgb.split(", "))) for rgb in (accent, on_accent, behind)
        )
        assert contrast(shown, ground) >= 4.5
        assert contrast(shown, text) >= 4.5


@pytest.mark.parametrize(
    "wrong",
    [{"colour": "red"}, {"colour": "#12345"}, {"logo": Path("/missing.svg")}, {"logo": WEB}],
)
def test_what_is_no_colour_and_no_image_ends_the_start(wrong):
    with pytest.raises(ConfigurationError, match="PAGE_"):
        Brand(**wrong)
