"""A model hub on loopback that speaks Hugging Face's protocol, with the faults of real networks.

Directories are served as repositories::

    with hub_server() as hub:
        commit = hub.add("owner/name", directory)
        hub.cut("model.bin", after=1_000)         # the next answer ends there
        hub_pull(card, models_dir, endpoint=hub.url)
        hub.sent["model.bin"]                     # bytes of its content that were sent

Small files are answered at once with the SHA-1 of git's blob as their ETag. Others are LFS files:
a redirect to a content server under another host name, with their SHA-256 in ``X-Linked-Etag``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LFS_BYTES = 1024
"""Files from this size on are LFS files."""

_BLOCK = 256 * 1024
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_CONTENT = re.compile(r"/content/(?P<repository>[^/]+/[^/]+)/(?P<name>.+)")
_INFO = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?")


@dataclass(frozen=True)
class Cut:
    """Where one answer ends."""

    after: int
    """Bytes of the content that are sent before it."""
    reset: bool
    """End the connection with RST instead of FIN; what the client has not read is lost."""


@dataclass(frozen=True)
class Repository:
    """A directory as a repository of one commit."""

    directory: Path
    commit: str
    token: str | None

    def path(self, name: str) -> Path | None:
        """Where a file lies; None where there is none."""
        path = (self.directory / name).resolve()
        inside = path.is_relative_to(self.directory.resolve())
        return path if inside and path.is_file() else None


@dataclass
class Hub:
    """The state of the server: repositories, faults to come, and what was asked and sent."""

    url: str = ""
    content_url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, deque[Cut]] = field(default_factory=lambda: defaultdict(deque))
    failures: dict[str, deque[tuple[int, Mapping[str, str]]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    damaged: set[str] = field(default_factory=set)
    """Files whose content is sent with its first byte changed."""
    names_commits: bool = True
    """Whether answers say their commit, as those of hubs do."""
    lengths: bool = True
    """Whether contents say their length; otherwise they end with the connection."""
    ranges: bool = True
    """Whether a part of a file can be asked for."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes of content that were sent, by file."""
    requests: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    """Method, path and headers in lower case of every request."""
    gate: threading.Event | None = None
    """Contents wait for it, at most 30 s."""

    def add(self, repository: str, directory: Path, *, token: str | None = None) -> str:
        """Serve ``directory`` as ``owner/name``; returns the commit, which ``main`` names.

        Args:
            repository: ``owner/name``.
            directory: its files, also in folders.
            token: what a client must send as its bearer token; none by default.
        """
        digest = hashlib.sha1(repository.encode(), usedforsecurity=False)
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(directory)).encode())
                digest.update(_sha256(path).encode())
        self.repositories[repository] = Repository(directory, digest.hexdigest(), token)
        return digest.hexdigest()

    def cut(self, name: str, *, after: int, reset: bool = False) -> None:
        """End the next answer with the content of a file early; may be said several times."""
        self.cuts[name].append(Cut(after, reset))

    def fail(
        self, name: str, status: int, times: int = 1, *, skip: int = 0, **headers: str
    ) -> None:
        """Answer the next requests for a file, of whatever method, with an error.

        ``skip`` of them are answered first.
        """
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        self.failures[name].extend([(0, {})] * skip)
        self.failures[name].extend([(status, fields)] * times)

    def paths(self, method: str) -> list[str]:
        """Paths that were asked for by a method, in order."""
        return [path for found, path, _ in self.requests if found == method]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Say nothing: tests look at ``Hub.requests``."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append((self.command, path, headers))
        if match := _RESOLVE.fullmatch(path):
            self._resolve(**match.groupdict())
        elif match := _CONTENT.fullmatch(path):
            repository = self.hub.repositories[match["repository"]]
            file = repository.path(match["name"])
            assert file is not None
            self._content(match["name"], file, {"ETag": f'"{_sha256(file)}"'})
        elif match := _INFO.fullmatch(path):
            self._info(match["repository"], match["revision"] or "main")
        else:
            self._error(HTTPStatus.NOT_FOUND)

    def _repository(self, name: str, revision: str) -> Repository | None:
        """The repository, or None when an error was answered."""
        found = self.hub.repositories.get(name)
        if found is None:
            # What the hub says to strangers, so that private names cannot be guessed.
            self._error(HTTPStatus.UNAUTHORIZED, code="RepoNotFound")
        elif found.token and self.headers["Authorization"] != f"Bearer {found.token}":
            self._error(HTTPStatus.UNAUTHORIZED, code="GatedRepo")
        elif revision not in {"main", found.commit}:
            self._error(HTTPStatus.NOT_FOUND, code="RevisionNotFound")
        else:
            return found
        return None

    def _info(self, name: str, revision: str) -> None:
        repository = self._repository(name, revision)
        if repository is None:
            return
        files = [path for path in sorted(repository.directory.rglob("*")) if path.is_file()]
        names = [{"rfilename": str(path.relative_to(repository.directory))} for path in files]
        body = json.dumps({"id": name, "sha": repository.commit, "siblings": names}).encode()
        self.send_response(HTTPStatus.OK)
        self._end_headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _resolve(self, repository: str, revision: str, name: str) -> None:
        if self.hub.failures[name]:
            status, headers = self.hub.failures[name].popleft()
            if status:
                self._error(status, **headers)
                return
        found = self._repository(repository, revision)
        if found is None:
            return
        file = found.path(name)
        commit = {"X-Repo-Commit": found.commit} if self.hub.names_commits else {}
        if file is None:
            self._error(HTTPStatus.NOT_FOUND, code="EntryNotFound", **commit)
        elif file.stat().st_size < LFS_BYTES:
            self._content(name, file, {**commit, "ETag": f'"{_git_blob(file)}"'})
        else:
            self.send_response(HTTPStatus.FOUND)
            self._end_headers(
                {
                    **commit,
                    "X-Linked-Etag": f'"{_sha256(file)}"',
                    "X-Linked-Size": str(file.stat().st_size),
                    "Location": f"{self.hub.content_url}/content/{repository}/{name}",
                    "Content-Length": "0",
                }
            )

    def _content(self, name: str, file: Path, headers: Mapping[str, str]) -> None:
        size = file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(asked[1]) if asked and self.hub.ranges else 0
        if start and start >= size:
            self._error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        status = HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK
        self.send_response(status)
        if start:
            headers = {**headers, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
        if self.hub.lengths or self.command == "HEAD":
            headers = {**headers, "Content-Length": str(size - start)}
        else:
            self.close_connection = True
        self._end_headers(headers)
        if self.command == "HEAD":
            return
        if self.hub.gate is not None:
            self.hub.gate.wait(30)
        cut = self.hub.cuts[name].popleft() if self.hub.cuts[name] else None
        self._send(name, file, start, min(size, start + cut.after) if cut else size)
        if cut:
            self.close_connection = True
            if cut.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

    def _send(self, name: str, file: Path, start: int, end: int) -> None:
        with file.open("rb") as source:
            source.seek(start)
            position = start
            while block := source.read(min(_BLOCK, end - position)):
                if name in self.hub.damaged and position == 0:
                    block = bytes([block[0] ^ 1]) + block[1:]
                self.wfile.write(block)
                self.hub.sent[name] += len(block)
                position += len(block)

    def _error(self, status: int, *, code: str = "", **headers: str) -> None:
        self.send_response(status)
        if code:
            headers["X-Error-Code"] = code
        self._end_headers({**headers, "Content-Length": "0"})

    def _end_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that go away are what some tests are about."""


@contextlib.contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub on a free port of loopback; stopped at the end."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with _Server(("127.0.0.1", 0), handler) as server:
        port = server.server_address[1]
        hub.url = f"http://127.0.0.1:{port}"
        hub.content_url = f"http://localhost:{port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


_DIGESTS: dict[tuple[Path, int, int], str] = {}


def _sha256(path: Path) -> str:
    """Kept by path, size and time: a large file is not read for every request."""
    status = path.stat()
    key = (path, status.st_size, status.st_mtime_ns)
    if key not in _DIGESTS:
        with path.open("rb") as file:
            _DIGESTS[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _DIGESTS[key]


def _git_blob(path: Path) -> str:
    content = path.read_bytes()
    blob = b"blob %d\0" % len(content) + content
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()
