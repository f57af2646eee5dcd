"""One connection to Redis that all calls of a process share: answers come in the order of commands.

redis-py makes the connection: its addresses, TLS, users and databases are what ``REDIS_URL`` may
say. What passes over it afterwards goes through hiredis alone: to take a connection out of a pool,
to guard each step of a call by timers of its own, and to put it back costs several times what the
command itself does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Self

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import InvalidResponse, ReadOnlyError

from speech_translator.security.background import end
from speech_translator.security.patience import STEPS, Patience
from speech_translator.security.redis_client import ANSWER_S

Argument = str | int | float
Command = tuple[Argument, ...]

CLOSE_S = 1.0
"""Seconds in which a connection is closed."""

_NOT_YET = object()


class RedisWire:
    """Sends commands, and brings every caller the answer to theirs.

    A caller who leaves disturbs nobody: the answer that comes for them is dropped. An answer that
    is late is late for all who wait behind it: they are told, too, and the next call connects anew,
    so that none is ever taken for another's. Nothing is sent twice.

    Callers bound how many ask at the same time (``FallbackConfig.max_calls``).

    Args:
        client: says how to connect; its owner closes it, after this.
        timeout_s: seconds in which an answer must have come, with a connection made for it, where
            the event loop has time (see ``Patience``); one timer for all may take a fifth more.
    """

    def __init__(self, client: Redis, *, timeout_s: float = ANSWER_S) -> None:
        self._pool = client.connection_pool
        self._timeout_s = timeout_s
        self._link: _Link | None = None
        self._connecting: asyncio.Task[_Link] | None = None

    def ask(self, command: Command) -> Awaitable[Any]:
        """The answer to a command.

        Raises:
            RedisError: Redis refuses, or the connection was lost.
            OSError: there is no connection to be had.
            TimeoutError: the answer did not come in its time.
        """
        link = self._link
        if link is not None and link.open:
            return link.ask(command)
        return self._connect_and_ask(command)

    async def aclose(self) -> None:
        """Close the connection; who waits for an answer is told that it was lost."""
        if self._connecting is not None:
            await end(self._connecting)
        if self._link is not None:
            await self._link.aclose()

    async def __aenter__(self) -> Self:
        """Enter a block at whose end it is closed. Nothing is connected before its use."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close it."""
        await self.aclose()

    async def _connect_and_ask(self, command: Command) -> Any:
        async with Patience(self._timeout_s):
            # One for all who wait; it goes on when one of them gives up.
            if self._connecting is None:
                self._connecting = asyncio.create_task(self._connect())
                self._connecting.add_done_callback(self._connected)
            link = await asyncio.shield(self._connecting)
            return await link.ask(command)

    async def _connect(self) -> _Link:
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, asyncio.CancelledError):  # by ``aclose``
                raise LostError("It was closed meanwhile.") from error
            raise
        self._link = _Link(connection, self._timeout_s)
        return self._link

    def _connected(self, task: asyncio.Task[_Link]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # everybody who waited for it may have left


class _Link(asyncio.Protocol):
    """The connection itself, taken over from redis-py once it is made.

    One timer looks after all who wait; it ends when it finds nobody.
    """

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        self._connection = connection
        # All that redis-py is asked for below its interface; the tests go through each kind.
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr, assignment] # noqa: SLF001
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._get_parser().parse_error,  # noqa: SLF001
            notEnoughData=_NOT_YET,
        )
        self._loop = asyncio.get_running_loop()
        self._gone = self._loop.create_future()
        self._lost = False
        self._waiting: deque[tuple[asyncio.Future[Any], int]] = deque()
        self._step_s = timeout_s / STEPS
        self._step = 0
        self._timer: asyncio.TimerHandle | None = None
        self._transport.set_protocol(self)

    @property
    def open(self) -> bool:
        """Whether commands can be sent."""
        return not (self._lost or self._transport.is_closing())

    def ask(self, command: Command) -> asyncio.Future[Any]:
        """See ``RedisWire``; it is sent before this returns."""
        if not self.open:
            raise LostError("The connection was closed.")
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type] # any number of them
        answer = self._loop.create_future()
        self._waiting.append((answer, self._step))
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._look)
        return answer

    async def aclose(self) -> None:
        """Close it, and wait until it is."""
        self._lose(LostError)
        with suppress(TimeoutError):  # it may have been lost before it was ours
            async with asyncio.timeout(CLOSE_S):
                await self._gone

    def data_received(self, data: bytes) -> None:
        """Part of the answers, or several."""
        self._reader.feed(data)
        try:
            while not self._lost and (answer := self._reader.gets()) is not _NOT_YET:
                self._take(answer)
        except InvalidResponse:
            self._lose(InvalidResponse)

    def connection_lost(self, _error: Exception | None) -> None:
        """It is no more, whoever ended it."""
        if not self._gone.done():
            self._gone.set_result(None)
        self._lose(LostError)

    def _take(self, answer: Any) -> None:
        if isinstance(answer, hiredis.PushNotification):  # by RESP 3; nobody asked for it
            return
        if not self._waiting:
            self._lose(InvalidResponse)
            return
        asked, _ = self._waiting.popleft()
        if not isinstance(answer, Exception):
            if not asked.done():
                asked.set_result(answer)
            return
        if not asked.done():
            asked.set_exception(answer)
        # Another connection may lead to a server that is ready, or that may write.
        if isinstance(answer, LostError | ReadOnlyError):
            self._lose(LostError)

    def _look(self) -> None:
        """A step, between two of which the loop has looked for what arrived: see ``Patience``."""
        self._step += 1
        if not self._waiting:
            self._timer = None
        elif self._step - self._waiting[0][1] > STEPS:
            self._lose(TimeoutError)
        else:
            self._timer = self._loop.call_later(self._step_s, self._look)

    def _lose(self, error: type[Exception]) -> None:
        """Use it no more; what was not sent yet is not sent."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        self._connection._close()  # type: ignore[no-untyped-call] # noqa: SLF001
        while self._waiting:
            asked, _ = self._waiting.popleft()
            if not asked.done():
                asked.set_exception(error("Redis is lost."))
