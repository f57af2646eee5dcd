"""HTTP to a server that speaks OpenAI's protocol: one request within a bounded time and size.

Built on httpx2, which the lock holds already; the ``openai`` package would add six more and its own
retries, which know nothing of a call's time. Here everything that one call asks, its repetitions
and pauses included, ends by one deadline: an engine process that is silent for too long is killed,
and its input suspected. That is also why requests run on an event loop: a thread cannot give up a
server that sends a byte a second.

Neither the key nor anything a server says gets into an error or a log line.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from speech_translator.engines.openai_answers import (
    Answer,
    RequestRefused,
    read,
    refused_field,
    retry_after,
)
from speech_translator.errors import ConfigurationError, EngineFailed, EngineUnavailable

T = TypeVar("T")

MAX_ATTEMPTS = 4
"""Requests for one answer: the first and its repetitions."""

_ends_at: ContextVar[float] = ContextVar("ends_at")
"""When the call has to end that is being worked on, on the loop's clock."""

_FIRST_PAUSE_S = 0.25
_CONNECT_S = 5.0
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where the server is and how it may be used.

    Args:
        url: its address as far as the version, without a slash at the end.
        api_key: sent as a bearer token; empty for none.
        timeout_s: seconds for everything that one call needs.
        connections: requests at the same time.
    """

    url: str
    api_key: str = field(default="", repr=False)
    timeout_s: float = 24.0
    connections: int = 8

    @classmethod
    def of(cls, options: Mapping[str, object]) -> ServerConfig:
        """From an engine's options: ``url``, ``api_key``, ``call_timeout_s``, ``concurrency``.

        The time is four fifths of what the process gets for a call.

        Raises:
            ConfigurationError: the address or the key cannot be one.
        """
        return cls(
            url=checked_url(str(options["url"])),
            api_key=checked_key(str(options.get("api_key", ""))),
            timeout_s=0.8 * float(str(options.get("call_timeout_s", 30.0))),
            connections=int(str(options.get("concurrency", 8))),
        )


def checked_url(url: str) -> str:
    """``url`` without slashes at its end.

    Raises:
        ConfigurationError: it is not an address of HTTP, or holds credentials or a query.
    """
    try:
        parts = urlsplit(url)
        hostname, _ = parts.hostname, parts.port
    except ValueError:
        parts, hostname = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not hostname or not url.isprintable():
        raise ConfigurationError("OPENAI_URL has to look like http://127.0.0.1:11434/v1.")
    if "@" in parts.netloc:
        raise ConfigurationError("OPENAI_URL may not hold credentials; set OPENAI_API_KEY.")
    if parts.query or parts.fragment or " " in url:
        raise ConfigurationError("OPENAI_URL may not hold a query, a fragment or spaces.")
    return url.rstrip("/")


def checked_key(key: str) -> str:
    """``key``, if it can stand in a header.

    Raises:
        ConfigurationError: it cannot; the message does not show it.
    """
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError("OPENAI_API_KEY holds spaces or signs that no key has.")
    return key


class Client:
    """A pool of connections to one server, and the loop that it lives on.

    ``run`` is called from any thread; ``post`` is awaited within it. ``close`` for whoever outlives
    it: a process that ends needs no call.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        headers = {"Accept-Encoding": "identity"}  # nothing that unpacks into more than was counted
        if config.api_key:
            headers["Authorization"] = f"Bearer {config.api_key}"
        self._http = httpx2.AsyncClient(
            base_url=config.url + "/",
            headers=headers,
            timeout=httpx2.Timeout(config.timeout_s, connect=min(_CONNECT_S, config.timeout_s)),
            limits=httpx2.Limits(
                max_connections=config.connections, max_keepalive_connections=config.connections
            ),
            follow_redirects=False,  # a redirect would take the text to somebody else
            trust_env=False,  # no proxies or .netrc that nobody named
        )
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of ``work`` on the loop, within the call's time.

        Raises:
            EngineFailed: it took longer; its requests are given up.
        """

        async def bounded() -> T:
            _ends_at.set(self._loop.time() + self.config.timeout_s)
            async with asyncio.timeout(self.config.timeout_s):
                return await work()

        try:
            return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()
        except TimeoutError:
            raise EngineFailed("The OpenAI-compatible server did not answer in its time.") from None

    async def post(self, path: str, *, max_bytes: int = _MIB, **content: Any) -> Answer:
        """One answer; what may pass is repeated, as the server says or with growing pauses.

        Args:
            path: below the address, without a slash before it.
            max_bytes: size of the largest answer.
            content: ``json``, or ``data`` and ``files``, as httpx takes them.

        Raises:
            RequestRefused: the server does not take it (400, 422).
            EngineUnavailable: it cannot be reached, refuses the key, lacks the model, is busy.
            EngineFailed: it answered with an error, or more than ``max_bytes``, or broke off.
        """
        pause = _FIRST_PAUSE_S
        for attempt in range(1, MAX_ATTEMPTS + 1):
            last = attempt == MAX_ATTEMPTS
            try:
                answer = await self._once(path, max_bytes, content)
            except httpx2.ConnectError:
                failure = EngineUnavailable(
                    "The OpenAI-compatible server cannot be reached.", retry_after=5.0
                )
            except httpx2.TransportError:
                # The answer may have been on its way: asking twice is harmless, it changes nothing.
                failure = EngineUnavailable("The OpenAI-compatible server broke off.")
            else:
                if isinstance(answer, Answer):
                    return answer
                failure = answer
            wait = pause if failure.retry_after is None else max(pause, failure.retry_after)
            if last or self._loop.time() + wait >= _ends_at.get():
                raise failure
            await asyncio.sleep(wait)
            pause *= 2
        raise AssertionError

    async def _once(
        self, path: str, max_bytes: int, content: Mapping[str, Any]
    ) -> Answer | EngineUnavailable:
        """One request: its answer, or what may pass when it is repeated."""
        async with self._http.stream("POST", path, **content) as response:
            if response.is_success:
                body = await read(response, max_bytes)
                if body is None:
                    raise EngineFailed("The OpenAI-compatible server answered too much.")
                return Answer(body, response.headers.get("content-type", ""))
            status = response.status_code
            if status in _PASSING:
                return EngineUnavailable(
                    "The OpenAI-compatible server is busy.", retry_after=retry_after(response)
                )
            if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                raise EngineUnavailable(
                    "The OpenAI-compatible server refuses the key: set OPENAI_API_KEY."
                )
            if status == HTTPStatus.NOT_FOUND:
                raise EngineUnavailable(
                    "The OpenAI-compatible server has no such path or model: see OPENAI_URL and "
                    "the model's setting."
                )
            if status in _REFUSALS:
                raise RequestRefused(refused_field(await read(response, _MIB)))
            raise EngineFailed(f"The OpenAI-compatible server answered with status {status}.")

    def close(self) -> None:
        """Close connections and loop."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._http.aclose(), self._loop).result(timeout=_CONNECT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_CONNECT_S)
        self._loop.close()


class Endpoint:
    """One path of a server, and the fields that it was found not to take: those are left out.

    Args:
        client: the server.
        path: below its address, without a slash before it.
        optional: fields without which a request makes sense, too.
    """

    def __init__(self, client: Client, path: str, optional: Collection[str]) -> None:
        self._client = client
        self._path = path
        self._optional = frozenset(optional)
        self._refused: frozenset[str] = frozenset()

    async def post(
        self,
        fields: Mapping[str, Any],
        content: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        *,
        max_bytes: int = _MIB,
    ) -> Answer:
        """The answer to ``fields`` without those that the server refuses; see ``Client.post``.

        Args:
            fields: by their names in the protocol.
            content: makes of the fields that are sent what httpx takes.
            max_bytes: size of the largest answer.
        """
        while True:
            sent = {name: value for name, value in fields.items() if name not in self._refused}
            try:
                return await self._client.post(self._path, max_bytes=max_bytes, **content(sent))
            except RequestRefused as error:
                if error.param not in self._optional or error.param not in sent:
                    raise
                self._refused |= {error.param}


def served(options: Mapping[str, object]) -> tuple[Client, str, list[str]]:
    """The server, the model and the languages that an engine's options name.

    Args:
        options: ``url``, ``api_key``, ``call_timeout_s``, ``concurrency``, ``model``,
            ``languages``.

    Raises:
        ConfigurationError: the address or the key cannot be one.
    """
    languages = options["languages"]
    assert isinstance(languages, list | tuple)  # noqa: S101 - the registry's own
    keys = [str(key) for key in languages]
    return Client(ServerConfig.of(options)), str(options["model"]), keys
