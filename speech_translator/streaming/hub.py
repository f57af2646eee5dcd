"""The live sessions of one process: how many there may be, and how they end when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from speech_translator.errors import Draining, Overloaded
from speech_translator.streaming.sharing import CaptionHub


class Endable(Protocol):
    """A session that can be asked to end."""

    def shut_down(self) -> None:
        """Finish what is pending, tell the client, close."""
        ...


class LiveHub:
    """Admits sessions and ends them together.

    Args:
        max_sessions: at the same time.
        captions: those that are shared.
    """

    def __init__(self, max_sessions: int, captions: CaptionHub | None = None) -> None:
        self.captions = CaptionHub() if captions is None else captions
        self._max_sessions = max_sessions
        self._sessions: set[Endable] = set()
        self._taken = 0
        self._draining = False

    def __len__(self) -> int:
        """Sessions that run, those included that are about to begin."""
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one session.

        Raises:
            Overloaded: all are taken.
            Draining: the process is about to stop.
        """
        if self._draining:
            raise Draining("The service is stopping; connect again in a moment.")
        if self._taken >= self._max_sessions:
            raise Overloaded(
                "All live sessions are taken; try again later.",
                retry_after=5.0,
                max_sessions=self._max_sessions,
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    @contextmanager
    def running(self, session: Endable) -> Iterator[None]:
        """Tell ``session`` when the process stops, as long as the block runs."""
        self._sessions.add(session)
        if self._draining:
            session.shut_down()
        try:
            yield
        finally:
            self._sessions.discard(session)

    def drain(self) -> None:
        """Admit nobody any more, and ask the sessions to finish."""
        self._draining = True
        self.captions.drain()
        for session in tuple(self._sessions):
            session.shut_down()
