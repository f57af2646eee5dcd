"""One file from a hub: what the hub says of it, and its bytes, however often the line is cut.

The hub is spoken to with the parts that ``huggingface_hub`` offers for it: its client (proxies,
offline mode), its headers (tokens), its errors and its metadata. Its own ``hf_hub_download`` is
not used for the bytes: it throws a partial file away when it fails, so that nothing is left to go
on with; it loses up to 10 MiB at every cut, because it writes in pieces of that size; and it gives
up at once when a connection is reset. Here every byte is written as it comes, and the next attempt
asks for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

# Both are documented as public, though the package does not mark them so.
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
)

from speech_translator import __version__
from speech_translator.errors import ConfigurationError, ModelMissing

T = TypeVar("T")

RETRIES = 5
"""Attempts after the first that may pass without a byte; any byte starts the count anew."""

MAX_PAUSE_S = 30.0
"""Longest wait before an attempt, also where the hub asks for a longer one."""

_TRANSIENT = frozenset({408, 416, 425, 429, 500, 502, 503, 504})
_PARTIAL = 206
_SHA256_DIGITS = 64

# The library would add the versions of other installed packages to its User-Agent.
constants.HF_HUB_DISABLE_TELEMETRY = True


class _Broken(Exception):
    """The answer is not the part of the file that was asked for."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it."""

    name: str
    url: str
    """With the commit in it, so that every attempt gets the same file."""
    commit: str
    size: int | None
    """Bytes; None where the hub does not say."""
    etag: str
    """SHA-256 of a large file; of others the SHA-1 that git gives them."""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 that the hub states; None for small files."""
        return self.etag if len(self.etag) == _SHA256_DIGITS else None


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and how patient one is with it."""

    endpoint: str
    """Its address, without a slash at the end."""
    retry: str
    """The command that goes on where an attempt ended; part of messages."""
    sleep: Callable[[float], None] = time.sleep

    def look_up(self, repository: str, revision: str, name: str) -> RemoteFile:
        """What the hub says of a file.

        Raises:
            ModelMissing: there is no such file, or the hub does not answer.
            ConfigurationError: what answers is no hub.
        """

        def ask() -> RemoteFile:
            url = hf_hub_url(repository, name, revision=revision, endpoint=self.endpoint)
            found = get_hf_file_metadata(url, headers=_headers(), endpoint=self.endpoint)
            if found.commit_hash is None or found.etag is None:
                raise FileMetadataError
            pinned = hf_hub_url(
                repository, name, revision=found.commit_hash, endpoint=self.endpoint
            )
            return RemoteFile(name, pinned, found.commit_hash, found.size, found.etag)

        return self._patiently(repository, ask, lambda: 0)

    def fetch(
        self, repository: str, file: RemoteFile, partial: Path, progress: Callable[[int], None]
    ) -> None:
        """Write a file's bytes to ``partial``, after those that are there already.

        Args:
            repository: for messages.
            file: as ``look_up`` found it.
            partial: what an earlier attempt left, or nothing.
            progress: called with the bytes of the file that are there.

        Raises:
            ModelMissing: it is not there any more, or no byte came for a while.
        """
        self._patiently(
            repository, lambda: _stream(file, partial, progress), lambda: _size(partial)
        )

    def _patiently(
        self, repository: str, work: Callable[[], T], bytes_there: Callable[[], int]
    ) -> T:
        """Do ``work`` until it succeeds, fails for good, or fails often without a byte."""
        failures = 0
        while True:
            before = bytes_there()
            try:
                return work()
            except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
                raise ConfigurationError(
                    "HF_ENDPOINT is no address such as https://huggingface.co."
                ) from error
            except (httpx2.TransportError, _Broken) as error:
                reason, pause = str(error) or type(error).__name__, 0.0
            except FileMetadataError as error:
                raise ConfigurationError(
                    "What answers at HF_ENDPOINT is no model hub. Set it to a hub's address, or "
                    "unset it."
                ) from error
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status not in _TRANSIENT:
                    raise _refused(repository, error) from error
                reason, pause = f"status {status}", _asked_pause(error.response)
            failures = 0 if bytes_there() > before else failures + 1
            if failures > RETRIES:
                raise ModelMissing(
                    f"The hub does not deliver {repository} ({reason}). What came so far is kept. "
                    f"Check the network, then run: {self.retry}",
                    command=self.retry,
                )
            self.sleep(min(max(pause, 2.0**failures / 2), MAX_PAUSE_S))


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids to ask any hub."""
    return constants.is_offline_mode()


def default_endpoint() -> str:
    """``HF_ENDPOINT``, or the public hub."""
    return constants.ENDPOINT


def _headers() -> dict[str, str]:
    headers = build_hf_headers(library_name="speech-translator", library_version=__version__)
    # Compressed answers have other lengths, and cannot be gone on with.
    return {**headers, "Accept-Encoding": "identity"}


def _stream(file: RemoteFile, partial: Path, progress: Callable[[int], None]) -> None:
    """One attempt: ask for what is missing and write it as it comes."""
    there = _size(partial)
    if file.size is not None and there >= file.size:
        if there == file.size and partial.exists():
            return
        partial.unlink(missing_ok=True)
        there = 0
    headers = _headers()
    if there:
        headers["Range"] = f"bytes={there}-"
    with get_session().stream(
        "GET", file.url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
    ) as response:
        if response.status_code == 416:  # noqa: PLR2004 - range not satisfiable
            partial.unlink(missing_ok=True)
        hf_raise_for_status(response)
        if response.status_code == _PARTIAL:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                partial.unlink(missing_ok=True)
                raise _Broken("another part of the file came")
        else:
            there = 0  # the server sends the file from its start
        with partial.open("ab" if there else "wb") as out:
            for block in response.iter_bytes():
                out.write(block)
                there += len(block)
                progress(there)
    if file.size is not None and there != file.size:
        if there > file.size:
            partial.unlink()
        raise _Broken("the file has another length")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _asked_pause(response: httpx2.Response) -> float:
    """Seconds of ``Retry-After``; 0 where it is missing or a date."""
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


def _refused(repository: str, error: HfHubHTTPError) -> ModelMissing:
    """What a hub's final answer means for the person who asked."""
    if isinstance(error, GatedRepoError):
        return ModelMissing(
            f"The hub gives {repository} only to those who accepted its terms. Accept them on the "
            "hub, then set HF_TOKEN."
        )
    if isinstance(error, RevisionNotFoundError | RemoteEntryNotFoundError):
        return ModelMissing(
            f"The hub's {repository} has not what the catalog names any more. A newer release of "
            "this product may know where it went."
        )
    status = error.response.status_code
    if isinstance(error, RepositoryNotFoundError) or status in {401, 403, 404}:
        return ModelMissing(
            f"The hub has no {repository}, or not for you (status {status}). Check HF_ENDPOINT "
            "and HF_TOKEN."
        )
    return ModelMissing(f"The hub refuses {repository} (status {status}). Check HF_ENDPOINT.")
