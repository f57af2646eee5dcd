"""`docs/API.md` names every route that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.api import running

PAGE = Path(__file__).parents[2] / "docs" / "API.md"
_NAMED = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE|WS) /[^\s`?]*)`")


async def routes(tmp_path: Path) -> set[str]:
    """Those of the two documents, and the documents themselves."""
    async with running(data_dir=tmp_path / "data") as api:
        paths = (await api.client.get("/openapi.json")).json()["paths"]
        channels = (await api.client.get("/asyncapi.json")).json()["channels"].values()
    asked = {f"{method.upper()} {path}" for path, found in paths.items() for method in found}
    sockets = {f"WS {channel['address']}" for channel in channels}
    assert len(sockets) > 1
    return asked | sockets | {"GET /openapi.json", "GET /asyncapi.json", "GET /docs"}


async def test_every_route_has_its_heading_and_every_heading_its_route(tmp_path: Path) -> None:
    headings = "\n".join(re.findall(r"^### .*$", PAGE.read_text(), re.MULTILINE))
    assert set(_NAMED.findall(headings)) == await routes(tmp_path)


async def test_no_route_is_spoken_of_that_is_not_there(tmp_path: Path) -> None:
    assert set(_NAMED.findall(PAGE.read_text())) <= await routes(tmp_path)


def test_its_links_lead_somewhere() -> None:
    for page, place in re.findall(r"\]\((\w+\.md)(?:#([^)]+))?\)", PAGE.read_text()):
        text = (PAGE.parent / page).read_text()
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not place or place in anchors, (page, place)
