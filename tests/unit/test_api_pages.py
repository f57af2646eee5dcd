"""The page's files, as browsers ask for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import speech_translator
from speech_translator.api.brand import Brand, contrast
from speech_translator.errors import ConfigurationError
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


def test_each_text_of_the_page_is_in_every_language():
    english, portuguese = (
        dict.fromkeys(
            re.findall(r'^  "?([\w-]+)"?:', (WEB / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in ("texts-en.js", "texts-pt.js")
    )
    assert list(english) == list(portuguese)
    named = set()
    for page in ("index.html", "reader.html"):
        html = (WEB / page).read_text(encoding="utf-8")
        named |= set(re.findall(r'data-(?:text|label|placeholder)="([^"]+)"', html))
    for module in WEB.glob("*.js"):
        named |= set(re.findall(r'\bt\("([^"]+)"', module.read_text(encoding="utf-8")))
    assert named <= set(english)


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
