"""What the state machine knows, put into the words of the protocol."""

from __future__ import annotations

from speech_translator.errors import Draining, SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.streaming.config import SessionConfig
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import (
    Failed,
    Final,
    Partial,
    Ready,
    SpeechStopped,
    StartRequest,
    Updated,
    Warned,
)
from speech_translator.streaming.utterances import Utterance
from speech_translator.streaming.voice_activity import WINDOW_S, Opened


def ready(config: SessionConfig) -> Ready:
    """The session as it was understood."""
    request, state = config.request, config.state
    return Ready(
        session_id=state.session_id,
        resumed=config.last_seq is not None,
        audio_s=round(state.window * WINDOW_S, 3),
        resume_token=config.token,
        share_secret=config.share_secret,
        source_language=request.source.tag if request.source else None,
        target_languages=tuple(target.tag for target in request.targets),
        audio=request.audio,
        partials=request.partials,
        speech=request.speech,
        voice=request.voice,
        barge_in=request.barge_in,
    )


def updated(request: StartRequest) -> Updated:
    """What the session is from now on."""
    return Updated(
        target_languages=tuple(target.tag for target in request.targets),
        speech=request.speech,
        voice=request.voice,
    )


def draining() -> Warned:
    """The service stops: what was said is still finished."""
    return Warned(
        code=Draining.code,
        message="The service is stopping: audio is no longer heard; what was said is finished.",
    )


def stopped(opened: Opened) -> SpeechStopped:
    """The speaker talks into what is being spoken."""
    return SpeechStopped(audio_s=round(opened.speech_start * WINDOW_S, 3))


def deaf(error: SpeechTranslatorError) -> Warned:
    """No more audio is heard, because of ``error``, which is told at the end."""
    return Warned(
        code=error.code,
        message=f"Audio is no longer heard; what was said is finished. {error.message}",
        details=error.details,
    )


def nothing(utterance: Utterance) -> Partial:
    """There was nothing in an utterance of which something was shown."""
    return Partial(
        segment_id=utterance.segment_id,
        start=round(utterance.start_s, 3),
        end=round(utterance.end_s, 3),
        text="",
        confirmed_chars=0,
        language=None,
        translations={},
    )


def final(utterance: Utterance, said: Interpretation, language: Language, now: float) -> Final:
    """A finished utterance."""
    return Final(
        segment_id=utterance.segment_id,
        start=round(utterance.start_s, 3),
        end=round(utterance.end_s, 3),
        text=said.text,
        language=language.tag,
        translations=dict(said.translations),
        latency_ms=max(0, round((now - utterance.arrived_at) * 1000)),
    )


def failures(utterance: Utterance, said: Interpretation) -> list[Warned]:
    """The targets that a final had to do without."""
    return [
        Warned(
            code=error.code,
            message=error.message,
            segment_id=utterance.segment_id,
            details={**error.details, "target_language": target},
        )
        for target, error in said.failures.items()
    ]


def refused(error: SpeechTranslatorError) -> Failed:
    """An update that was not made."""
    return Failed(code=error.code, message=error.message, fatal=False, details=error.details)


def failed(error: SpeechTranslatorError, segment_id: int | None = None) -> Failed:
    """An error of one segment, or the one that ends the session."""
    return Failed(
        code=error.code,
        message=error.message,
        fatal=segment_id is None,
        segment_id=segment_id,
        details=error.details,
    )
