"""Many readers follow one speaker: the captions of shared sessions, in this process.

What was said is kept once for all readers of a session. A reader is a place in it, and knows the
newest partial only: one that is slow loses partials first, and is cut when it falls far behind.
Of a secret only the digest is kept, here and in the session's state.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import secrets
import time
from bisect import bisect_right
from dataclasses import dataclass, field

from msgspec.structs import replace

from speech_translator.errors import NotFound, Overloaded
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Clock
from speech_translator.streaming.messages import (
    Failed,
    Final,
    Partial,
    ServerEvent,
    StartRequest,
    Unshared,
    Updated,
)
from speech_translator.streaming.resuming import SessionState

MAX_BEHIND = 32
"""Finals that a reader who had them all may fall behind before it is cut."""

SPEAKER_GONE = "speaker_gone"
UNSHARED = "unshared"
_BATCH = 64
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that opens one session's captions."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """How many may read, and for how long a session waits for its speaker to come back."""

    per_session: int = 200
    in_all: int = 512
    absent_s: float = 120.0


@dataclass(slots=True)
class Share:
    """One shared session. ``over`` says why it ended; an empty reason, that readers come again."""

    session_id: str
    digest: str
    request: StartRequest
    finals: list[Final] = field(default_factory=list)
    partial: Partial | None = None
    readers: set[Reader] = field(default_factory=set)
    speaker: Speaker | None = None
    absent_since: float | None = None
    over: str | None = None

    @property
    def last_segment(self) -> int:
        """The last one that is final."""
        return self.finals[-1].segment_id if self.finals else 0

    def wake(self) -> None:
        """There is something new."""
        for reader in tuple(self.readers):
            reader.wake()


class Reader:
    """One who reads; close it afterwards.

    Args:
        share: what is read.
        after: the last segment that is known already.
    """

    def __init__(self, share: Share, after: int) -> None:
        self.share = share
        self.cut = False
        self._next = bisect_right(share.finals, after, key=lambda final: final.segment_id)
        self._partial: Partial | None = None
        self._has_caught_up = False
        self._news = asyncio.Event()
        share.readers.add(self)

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.cut or self.share.over is not None

    def take(self) -> list[Final | Partial]:
        """What is new, a part of it where that is much; nothing when there is nothing."""
        self._news.clear()
        found: list[Final | Partial] = [*self.share.finals[self._next : self._next + _BATCH]]
        self._next += len(found)
        if self._next == len(self.share.finals):
            self._has_caught_up = True
            if self.share.partial is not self._partial:
                self._partial = self.share.partial
                found += [] if self._partial is None else [self._partial]
        return found

    async def wait(self, seconds: float) -> bool:
        """Wait for something new; False when nothing came in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def wake(self) -> None:
        """There is something new; one that has fallen too far behind is cut."""
        behind = len(self.share.finals) - self._next
        if self._has_caught_up and behind > MAX_BEHIND:
            self.cut = True
            self.close()
        self._news.set()

    def close(self) -> None:
        """Read no more; twice does no harm."""
        self.share.readers.discard(self)


class Speaker:
    """The connection by which a shared session goes on; an older one is not heard any more.

    Args:
        hub: where it is read.
        share: what is read.
    """

    def __init__(self, hub: CaptionHub, share: Share) -> None:
        self._hub = hub
        self._share = share

    def publish(self, event: ServerEvent) -> None:
        """Tell the readers what the speaker is told; what they have they are not told again."""
        share = self._share
        if share.speaker is not self:
            return
        match event:
            case Final() if event.segment_id > share.last_segment:
                share.finals.append(event)
                if share.partial is not None and share.partial.segment_id <= event.segment_id:
                    share.partial = None
            case Partial() if event.segment_id > share.last_segment:
                share.partial = event
            case Failed(segment_id=segment_id) if _is_about(share.partial, segment_id):
                share.partial = _taken_back(share.partial)
            case Updated():  # readers learn of it by what comes
                targets = tuple(map(Language, event.target_languages))
                share.request = dataclasses.replace(share.request, targets=targets)
                return
            case Unshared():
                self._hub.end(share, UNSHARED)
            case _:
                return
        share.wake()

    def leave(self, outcome: str) -> None:
        """The connection is over; a session that may go on waits for its speaker.

        Args:
            outcome: as in ``SessionSummary``.
        """
        if self._share.speaker is not self:
            return
        if outcome == "end":
            self._hub.end(self._share, outcome)
        elif outcome == "shutting_down":
            self._hub.end(self._share, "")
        else:
            self._hub.miss(self._share)

    def revoke(self) -> None:
        """The speaker's key was revoked: nobody reads what was said with it."""
        if self._share.speaker is self:
            self._hub.end(self._share, UNSHARED)


class CaptionHub:
    """The shared sessions of one process.

    Args:
        limits: how many may read.
        clock: monotonic seconds.
    """

    def __init__(
        self, limits: ReaderLimits | None = None, *, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits or ReaderLimits()
        self._clock = clock
        self._shares: dict[str, Share] = {}
        self._draining = False

    def __len__(self) -> int:
        """Readers."""
        return sum(len(share.readers) for share in self._shares.values())

    def speak(self, state: SessionState, request: StartRequest) -> Speaker | None:
        """The speaker's end of a session that begins or goes on; None where it is not shared."""
        self.sweep()
        share = self._shares.get(state.session_id)
        if state.share is None:
            if share is not None:  # kept as such, and the connection broke before readers were told
                self.end(share, UNSHARED)
            return None
        if share is None:
            finals = [event for _, event in state.told if isinstance(event, Final)]
            share = Share(state.session_id, state.share, request, finals)
            self._shares[state.session_id] = share
        share.request, share.absent_since = request, None
        share.speaker = Speaker(self, share)
        return share.speaker

    def find(self, session_id: str, secret: str) -> Share:
        """A session that this secret opens.

        Raises:
            NotFound: there is none; whether there is one with another secret is not told.
        """
        self.sweep()
        share = self._shares.get(session_id)
        expected = share.digest if share else ""
        if not hmac.compare_digest(digest(secret), expected) or share is None:
            raise NotFound("No shared session opens with this; it may have ended.")
        return share

    def read(self, share: Share, after: int = 0) -> Reader:
        """One more reader; close it afterwards.

        Args:
            share: of ``find``.
            after: the last segment that the reader has.

        Raises:
            Overloaded: there are as many as may be.
        """
        if len(share.readers) >= self._limits.per_session or len(self) >= self._limits.in_all:
            raise Overloaded("As many read as may; try again later.", retry_after=10.0)
        return Reader(share, after)

    def miss(self, share: Share) -> None:
        """The speaker has gone, and may come back."""
        share.speaker, share.absent_since = None, self._clock()
        share.partial = None if share.partial is None else _taken_back(share.partial)
        share.wake()
        if self._draining:
            self.end(share, "")

    def end(self, share: Share, reason: str) -> None:
        """A session is shared no longer."""
        share.over, share.speaker = reason, None
        share.wake()
        if self._shares.get(share.session_id) is share:
            del self._shares[share.session_id]

    def sweep(self) -> None:
        """End sessions whose speakers did not come back. Readers ask for it now and then."""
        latest = self._clock() - self._limits.absent_s
        for share in tuple(self._shares.values()):
            if share.absent_since is not None and share.absent_since < latest:
                self.end(share, SPEAKER_GONE)

    def drain(self) -> None:
        """The process stops: who waits for a speaker is sent to the next one."""
        self._draining = True
        for share in tuple(self._shares.values()):
            if share.speaker is None:
                self.end(share, "")


def in_language(event: Final | Partial, language: str) -> Final | Partial | None:
    """An event in one language, without the others; None where there is nothing to show.

    A final that was not translated is told as it was said: its ``language`` says so.
    """
    text = event.translations.get(language)
    if event.language == language or not event.text:
        text = event.text
    if text is not None:
        return replace(event, text=text, language=language, translations={})
    return replace(event, translations={}) if isinstance(event, Final) else None


def _is_about(partial: Partial | None, segment_id: int | None) -> bool:
    return partial is not None and partial.segment_id == segment_id


def _taken_back(partial: Partial | None) -> Partial | None:
    return (
        None if partial is None else replace(partial, text="", confirmed_chars=0, translations={})
    )
