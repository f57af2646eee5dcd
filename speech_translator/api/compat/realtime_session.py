"""A realtime translation session as its client asks for it, in OpenAI's words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from msgspec import UNSET, UnsetType

from speech_translator.api.compat.realtime_events import RealtimeUpdate
from speech_translator.api.compat.realtime_schemas import (
    RealtimeAudio,
    RealtimeAudioUpdate,
    RealtimeInput,
    RealtimeInputUpdate,
    RealtimeNoiseReduction,
    RealtimeOutput,
    RealtimeSession,
    RealtimeSessionRequest,
    RealtimeTranscription,
)
from speech_translator.errors import InvalidField, UnknownLanguage
from speech_translator.languages import Language

LANGUAGE = "session.audio.output.language"
"""The field that says into what is translated."""

NOISE = "session.audio.input.noise_reduction"

_ENGLISH = Language("en")


@dataclass(frozen=True, slots=True)
class WantedSession:
    """A session.

    Args:
        model: told back to the client.
        target: into which is translated.
        transcription: the model that the client named for what was said; None where it does not
            want to be told that.
    """

    model: str
    target: Language = _ENGLISH
    transcription: str | None = None

    @classmethod
    def of(cls, asked: RealtimeSessionRequest) -> WantedSession:
        """A session that is to be had. Raises ``UnknownLanguage``."""
        return cls(asked.model).with_audio(asked.audio)

    @classmethod
    def unsealed(cls, text: str) -> WantedSession:
        """The session that a client secret carries."""
        found = msgspec.json.decode(text, type=dict[str, str | None])
        return cls(str(found["model"]), Language(str(found["target"])), found["transcription"])

    def sealed(self) -> str:
        """What a client secret carries."""
        found = {"model": self.model, "target": self.target.tag}
        return msgspec.json.encode({**found, "transcription": self.transcription}).decode()

    def updated(self, asked: RealtimeUpdate) -> WantedSession:
        """The session after an update.

        Raises:
            InvalidField: another model.
            UnknownLanguage: a code that no table knows.
        """
        if asked.model not in {UNSET, self.model}:
            raise InvalidField("The model of a session stays as it is.", field="session.model")
        return self.with_audio(asked.audio)

    def shown(self, name: str, expires_at: int) -> RealtimeSession:
        """What the client is told of it.

        Args:
            name: the session's.
            expires_at: when it ends, in seconds since 1970.
        """
        told = self.transcription and RealtimeTranscription(model=self.transcription)
        return RealtimeSession(
            id=f"sess_{name}",
            model=self.model,
            audio=RealtimeAudio(
                input=RealtimeInput(transcription=told or None),
                output=RealtimeOutput(language=self.target.tag),
            ),
            expires_at=expires_at,
        )

    def with_audio(self, audio: RealtimeAudioUpdate | UnsetType) -> WantedSession:
        """The session with other sound. Raises ``UnknownLanguage``."""
        if isinstance(audio, UnsetType):
            return self
        found = self
        if not isinstance(audio.output, UnsetType) and not isinstance(
            audio.output.language, UnsetType
        ):
            found = replace(found, target=_target(audio.output.language))
        if not isinstance(audio.input, UnsetType) and not isinstance(
            audio.input.transcription, UnsetType
        ):
            told = audio.input.transcription
            found = replace(found, transcription=told.model if told else None)
        return found


def wants_quiet(asked: RealtimeUpdate) -> bool:
    """Whether noise is to be reduced, which nothing does here."""
    sound = asked.audio if isinstance(asked.audio, RealtimeAudioUpdate) else None
    given = sound.input if sound else None
    return isinstance(given, RealtimeInputUpdate) and isinstance(
        given.noise_reduction, RealtimeNoiseReduction
    )


def _target(code: str) -> Language:
    try:
        return Language.parse(code)
    except UnknownLanguage as error:
        error.details["field"] = LANGUAGE
        raise
