"""Pages and their files, all from this machine, under a policy that allows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.responses import FileResponse, Response

from speech_translator.errors import NotFound

_WEB = Path(__file__).resolve().parent.parent / "web"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_PAGE_HEADERS = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
_FILE_HEADERS = {"Cache-Control": "public, max-age=3600"}
_TYPES: Mapping[str, str] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_SWAGGER_FILES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})


def page(name: str) -> Response:
    """An HTML page of ours."""
    return FileResponse(_WEB / name, media_type="text/html", headers=_PAGE_HEADERS)


def asset(name: str) -> Response:
    """A file that our pages load.

    Raises:
        NotFound: there is no such file.
    """
    if name not in _assets():
        raise NotFound("There is no such file.")
    return _file(_WEB / name)


def swagger_file(name: str) -> Response:
    """A file of Swagger UI, from the package that carries it (Apache-2.0).

    Raises:
        NotFound: there is no such file.
    """
    if name not in _SWAGGER_FILES:
        raise NotFound("There is no such file.")
    return _file(_swagger_directory() / name)


def _file(path: Path) -> Response:
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_FILE_HEADERS)


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
