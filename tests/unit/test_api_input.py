"""What looks like code is text: it is translated as text and comes back as text."""

import pytest

from speech_translator.engines.values import EngineInfo
from tests.support.api import running
from tests.support.scripted_broker import ScriptedEngine

ATTACKS = [
    "<script>alert('x')</script>", "' OR 1=1 --", "'; DROP TABLE keys; --", "{{7*7}}", "${7*7}",
    "#{7*7}", "<%= 7*7 %>", "../../etc/passwd", "..\\..\\windows", "$(id)", "`id`", "| id", "%s%n",
    "&lt;b&gt; &amp; &#x27;", "javascript:alert(1)", "=cmd|'/c calc'!A0", "\u202egnp.exe",
    "cafe\u0301 caf\u00e9", '{"$gt": ""}', "http://169.254.169.254/latest",
]  # fmt: skip


def identity():
    """Answers what it is asked."""
    info = EngineInfo("bergamot", "translation", pairs=(("en", "pt"),))
    return ScriptedEngine(info, lambda call: call.text)


@pytest.fixture
async def api():
    async with running(identity()) as harness:
        yield harness


async def translate(harness, text, **fields):
    body = {"text": text, "source_language": "en", "target_language": "pt", **fields}
    return await harness.client.post("/translate/text", json=body)


@pytest.mark.parametrize("text_format", ["text", "html"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_it_comes_back_as_it_was_sent(api, attack, text_format):
    for text in (attack, f"Hello, {attack} my friend."):
        answer = await translate(api, text, format=text_format)
        assert answer.json()["translation"] == text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text_format", ["text", "html"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_it_comes_back_so_to_libretranslates_clients_too(api, attack, text_format):
    body = {"q": attack, "source": "en", "target": "pt", "format": text_format}
    for answer in (
        await api.client.post("/translate", json=body),
        await api.client.post("/translate", data=body),
    ):
        assert answer.json() == {"translatedText": attack}
        assert answer.headers["content-type"] == "application/json"


async def test_engines_get_composed_text_and_the_sender_their_own(api):
    for text in ("Un cafe\u0301 noir.", "Un caf\u00e9 noir."):
        answer = (await translate(api, text)).json()
        assert answer["translation"] == text
    (call,) = api.engine("bergamot").calls  # the second came from the cache
    assert call.text == "Un caf\u00e9 noir."
    assert answer["cached"]


async def test_a_translation_is_escaped_where_it_is_html(api):
    api.engine("bergamot").answer = lambda _call: "<img src=x onerror=alert(1)>"
    assert (await translate(api, "<p>Hello there.</p>", format="html")).json()["translation"] == (
        "<p>&lt;img src=x onerror=alert(1)&gt;</p>"
    )


async def test_html_is_sanitised_where_that_is_asked_for(api):
    document = '<p onclick="x()">Hello, <b>friend</b>.</p><script>x()</script>'
    plain = await translate(api, document, format="html")
    assert plain.json()["translation"] == document
    clean = await translate(api, [document, "<p>Bye.</p>"], format="html", sanitize=True)
    assert clean.json()["translation"] == ["<p>Hello, <b>friend</b>.</p>", "<p>Bye.</p>"]
    nothing = await translate(api, "<script>x()</script>", format="html", sanitize=True)
    assert (nothing.status_code, nothing.json()["translation"]) == (200, "")


async def test_what_cannot_be_sanitised_is_refused(api):
    text = await translate(api, "Hello.", sanitize=True)
    assert (text.status_code, text.json()["field"]) == (422, "sanitize")
    deep = await translate(api, "<i>" * 300 + "deep", format="html", sanitize=True)
    assert (deep.status_code, deep.json()["code"]) == (422, "invalid_markup")


async def test_json_that_is_nested_deeply_is_refused_before_it_is_parsed(api):
    deep = b'{"text": ' + b"[" * 33 + b"]" * 33 + b"}"
    answer = await api.client.post(
        "/translate/text", content=deep, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("name", ["../../etc/passwd", "x.exe", "\x00.wav", "a" * 500, "CON", ""])
async def test_a_files_name_is_not_asked_for(api, tmp_path, name):
    async with running(identity(), spool_dir=tmp_path) as harness:
        answer = await harness.client.post(
            "/transcribe/audio",
            files={"file": (name or "x", b"RIFF....WAVE")},
            data={"target_language": "xx-none"},
        )
        assert answer.status_code == 422  # the language; the file was received
        assert list(tmp_path.iterdir()) == []
