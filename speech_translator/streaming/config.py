"""What one session is about, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from speech_translator.settings import Settings
from speech_translator.streaming.messages import StartRequest
from speech_translator.streaming.resuming import SessionState
from speech_translator.streaming.voice_activity import EndpointConfig


class AudioMeter(Protocol):
    """Whether, and to whom, sound may be heard; ``security.audio_tab.AudioTab`` is one."""

    async def take(self, seconds: float) -> None:
        """Take sound that is about to be heard.

        Raises:
            LimitExceeded: so much is not left.
        """
        ...


class Unmetered:
    """Lets everything be heard."""

    async def take(self, seconds: float) -> None:
        """See ``AudioMeter``."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """One session, as its client asked for it.

    ``state`` is what it has come to; ``last_seq`` the last event that its client saw, None where
    the session is new; ``token`` lets the client come back, None where it cannot; ``share_secret``
    lets others read, where the client is to be told it.
    """

    state: SessionState
    request: StartRequest
    token: str | None = None
    last_seq: int | None = None
    share_secret: str | None = None


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one session; times in seconds."""

    max_s: float = 4 * 3600.0
    """Longest session, by the clock and by its audio."""
    idle_s: float = 60.0
    """Time after which the session ends when only its client could make it go on, and does not."""
    send_s: float = 20.0
    """Time in which the client must take what it is sent; a slower one is dropped."""
    unheard_s: float = 10.0
    """Audio that may wait for voice activity detection; then the socket is not read."""
    backlog_s: float = 45.0
    """Audio in utterances that wait for recognition; then the socket is not read."""
    utterances_at_once: int = 2
    """Utterances of one session that are recognised side by side."""
    behind_s: float = 3.0
    """Age of the oldest waiting utterance at which the client is warned."""
    speech_backlog: int = 4
    """Translations that may wait to be spoken; then the oldest is left out."""
    max_glossary_terms: int = 200
    """Terms in the glossary of a session."""
    subject: str = ""
    """Whose share of the engines the work takes; the owner's, where it is not said. Callers without
    a name are one owner, and are not one subject."""
    weight: int = 1
    """How large that share is, beside those of others."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """Where utterances begin and end."""

    @classmethod
    def from_settings(
        cls, settings: Settings, *, weight: int = 1, subject: str = ""
    ) -> SessionLimits:
        """The part of the settings that matters here, and the owner's share."""
        return cls(
            weight=weight,
            subject=subject,
            max_s=settings.live_max_s,
            idle_s=settings.live_idle_timeout_s,
            send_s=settings.live_send_timeout_s,
            max_glossary_terms=settings.max_glossary_terms,
        )
