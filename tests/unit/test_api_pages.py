"""The page's files, as browsers ask for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import speech_translator
from tests.support.api import running

WEB = Path(speech_translator.__file__).parent / "web"
HTML = {"accept": "text/html"}


@pytest.fixture
async def client(tmp_path):
    async with running(data_dir=tmp_path) as harness:
        yield harness.client


@pytest.mark.parametrize("path", ["/", "/docs", "/assets/page.js", "/assets/page.css"])
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


def test_each_text_of_the_page_is_in_every_language():
    texts = (WEB / "texts.js").read_text(encoding="utf-8")
    english, portuguese = (
        dict.fromkeys(re.findall(r'^  "?([\w-]+)"?:', block, re.MULTILINE))
        for block in re.findall(
            r"^const (?:EN|PT) = \{\n(.*?)^\};", texts, re.MULTILINE | re.DOTALL
        )
    )
    assert list(english) == list(portuguese)
    page = (WEB / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'data-(?:text|label|placeholder)="([^"]+)"', page))
    for module in WEB.glob("*.js"):
        named |= set(re.findall(r'\bt\("([^"]+)"', module.read_text(encoding="utf-8")))
    assert named <= set(english)
