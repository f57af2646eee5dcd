"""Pages and their files, all from this machine, under a policy that allows nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response

from speech_translator.api.brand import LOGO_TYPES, Brand
from speech_translator.errors import NotFound

_WEB = Path(__file__).resolve().parent.parent / "web"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_SWAGGER_HEADERS = {"Cache-Control": "public, max-age=3600"}
_TYPES: Mapping[str, str] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_SWAGGER_FILES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})


def start_page(brand: Brand, asked: Headers) -> Response:
    """The page at ``/``; ``asked`` are the request's headers."""
    content = brand.html(_text("index.html"))
    return _made(content, "text/html", {"Content-Security-Policy": PAGE_POLICY}, asked)


def reader_page(brand: Brand, asked: Headers) -> Response:
    """The page of those who read a shared session; ``asked`` are the request's headers."""
    content = brand.html(_text("reader.html"))
    return _made(content, "text/html", {"Content-Security-Policy": PAGE_POLICY}, asked)


def documentation(asked: Headers) -> Response:
    """The page of Swagger UI; ``asked`` are the request's headers."""
    page = _WEB / "docs.html"
    return _revalidated(page, "text/html", {"Content-Security-Policy": PAGE_POLICY}, asked)


def asset(name: str, brand: Brand, asked: Headers) -> Response:
    """A file that our pages load; ``asked`` are the request's headers.

    Raises:
        NotFound: there is no such file.
    """
    if name == "brand.css":
        return _made(brand.css(), "text/css", {}, asked)
    if name == "logo":
        logo = brand.logo or _WEB / "icon.svg"
        return _revalidated(logo, LOGO_TYPES[logo.suffix.lower()], {}, asked)
    if name not in _assets():
        raise NotFound("There is no such file.")
    path = _WEB / name
    return _revalidated(path, _TYPES[path.suffix], {}, asked)


def swagger_file(name: str) -> Response:
    """A file of Swagger UI, from the package that carries it (Apache-2.0).

    Raises:
        NotFound: there is no such file.
    """
    if name not in _SWAGGER_FILES:
        raise NotFound("There is no such file.")
    path = _swagger_directory() / name
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_SWAGGER_HEADERS)


def _revalidated(
    path: Path, media_type: str, headers: Mapping[str, str], asked: Headers
) -> Response:
    """A file that browsers ask about each time: modules of two versions must not meet in a page."""
    headers = {**headers, "Cache-Control": "no-cache"}
    answer = FileResponse(path, media_type=media_type, headers=headers, stat_result=path.stat())
    tag = answer.headers["etag"]
    if tag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers={**headers, "ETag": tag})
    return answer


def _made(content: str, media_type: str, headers: Mapping[str, str], asked: Headers) -> Response:
    """The same for what is made of a file and of settings."""
    body = content.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**headers, "Cache-Control": "no-cache", "ETag": tag}
    if tag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


@cache
def _text(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


@cache
def _assets() -> frozenset[str]:
    return frozenset(path.name for path in _WEB.iterdir() if path.suffix in _TYPES)


@cache
def _swagger_directory() -> Path:
    """Where the package's files are; looked up without importing it."""
    spec = find_spec("fastapi_swagger")
    if spec is None or not spec.submodule_search_locations:
        raise NotFound("The documentation's files are not installed: pip install fastapi-swagger")
    return Path(spec.submodule_search_locations[0]) / "resources"
