"""``POST /transcribe/audio`` and ``POST /translate/speech``: a recording in a multipart form."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Generic, TypeVar

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import (
    encode,
    json_response,
    speech_answer,
    tag_of,
    transcript_answer,
)
from speech_translator.api.body import Pace, cancel_on_disconnect
from speech_translator.api.dependencies import (
    admitted,
    recording_place,
    request_context,
    services_of,
    state_of,
)
from speech_translator.api.idempotency import Attempt, once
from speech_translator.api.metering import reserved
from speech_translator.api.multipart import multipart_mixed
from speech_translator.api.negotiation import preferred_type
from speech_translator.api.openapi import form_operation, ref
from speech_translator.api.parsing import (
    choice,
    flag,
    form_glossary,
    source_language,
    target_language,
    whole_number,
)
from speech_translator.api.schemas import RecordingInfo, SpeechAnswer, TranscriptAnswer
from speech_translator.api.uploads import FORM_OVERHEAD, Upload, receive_upload
from speech_translator.errors import EmptyAudio, InvalidField
from speech_translator.exports import to_srt, to_text, to_vtt
from speech_translator.languages import Language
from speech_translator.media import MEDIA_TYPES, DecodedAudio
from speech_translator.media import encode as encode_audio
from speech_translator.media.encoding import OUTPUT_RATES, choose_rate
from speech_translator.problems import request_id_of
from speech_translator.scalability.results import (
    RequestContext,
    SpokenTranslation,
    Transcription,
    Translation,
)
from speech_translator.security.guard import Caller
from speech_translator.security.idempotency import HEADER
from speech_translator.security.input_validator import AudioBounds, validate_audio_upload
from speech_translator.security.quotas import Reservation
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import file_bytes, smaller
from speech_translator.settings import Settings
from speech_translator.storage.usage import Operation

router = APIRouter(tags=["speech"])

RESPONSE_FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
AUDIO_FORMATS = tuple(MEDIA_TYPES)
_FAILURES = (400, 401, 403, 408, 409, 413, 415, 422, 502, 503, 504)
_LANGUAGE = {"type": "string", "maxLength": 35}
_FILE = {"type": "string", "format": "binary", "description": "The recording."}
_GLOSSARY = {"type": "string", "description": "A JSON object: source terms and their translations."}


Form = TypeVar("Form")


@dataclass(frozen=True, slots=True)
class _TranscribeForm:
    """What is asked of ``/transcribe/audio``."""

    source: Language | None
    target: Language | None
    shape: str
    words: bool
    glossary: Mapping[str, str]

    NAMES: ClassVar = (
        "source_language",
        "target_language",
        "response_format",
        "word_timestamps",
        "glossary",
    )

    @classmethod
    def parse(cls, fields: Mapping[str, str], settings: Settings) -> _TranscribeForm:
        """Raises ``InvalidRequest`` for a field that cannot be served."""
        return cls(
            source_language(fields.get("source_language") or "auto"),
            target_language(code) if (code := fields.get("target_language")) else None,
            choice(fields, "response_format", RESPONSE_FORMATS, "json"),
            flag(fields, "word_timestamps"),
            form_glossary(fields, settings),
        )


@dataclass(frozen=True, slots=True)
class _SpeechForm:
    """What is asked of ``/translate/speech``."""

    source: Language | None
    target: Language
    voice: str | None
    audio_format: str
    sample_rate: int | None
    glossary: Mapping[str, str]

    NAMES: ClassVar = (
        "source_language",
        "target_language",
        "voice",
        "audio_format",
        "sample_rate",
        "glossary",
    )

    @classmethod
    def parse(cls, fields: Mapping[str, str], settings: Settings) -> _SpeechForm:
        """Raises ``InvalidRequest`` for a field that cannot be served."""
        if not fields.get("target_language"):
            raise InvalidField("Field `target_language` is missing.", field="target_language")
        form = cls(
            source_language(fields.get("source_language") or "auto"),
            target_language(fields["target_language"]),
            fields.get("voice") or None,
            choice(fields, "audio_format", AUDIO_FORMATS, "wav"),
            whole_number(fields, "sample_rate"),
            form_glossary(fields, settings),
        )
        choose_rate(form.audio_format, OUTPUT_RATES[0], form.sample_rate)
        return form


@dataclass(frozen=True, slots=True)
class _Received(Generic[Form]):
    """A form with its recording, decoded; who sent it, and until when it is worth an answer.

    ``attempt`` keeps the answer where an ``Idempotency-Key`` was sent.
    """

    form: Form
    audio: DecodedAudio
    context: RequestContext
    caller: Caller
    attempt: Attempt


async def _answered(
    request: Request,
    scope: Scope,
    names: Collection[str],
    parse: Callable[[Mapping[str, str], Settings], Form],
    check: Callable[[Form], None],
    longest_audio_s: float,
    work: Callable[[_Received[Form]], Awaitable[Response]],
) -> Response:
    """What ``work`` makes of the form and its recording, decoded; the upload is deleted by then.

    The fields are looked at first: what is refused anyway is not decoded, and neither is what was
    answered before under the same ``Idempotency-Key``. The work gets a time of its own, with the
    recording's length in it, so that no length which is taken in is too long.
    """
    state = state_of(request)
    settings = state.settings
    began = time.monotonic()
    caller = await admitted(request, scope, max_bytes=settings.max_upload_bytes + FORM_OVERHEAD)
    context = request_context(request, settings.audio_request_timeout_s)
    async with receive_upload(
        request,
        settings.spool_dir,
        fields=names,
        limit=smaller(settings.max_upload_bytes, file_bytes(caller.tier)),
        pace=Pace(settings.body_timeout_s, settings.audio_request_timeout_s),
    ) as upload:
        form = parse(upload.fields, settings)
        check(form)
        parts = await _parts(upload) if HEADER in request.headers else ()
        async with once(request, caller, parts) as attempt:
            if attempt.replayed is not None:
                return attempt.replayed
            audio = await cancel_on_disconnect(
                request,
                validate_audio_upload(
                    upload.file,
                    services_of(request).decoders,
                    deadline=context.deadline,
                    bounds=AudioBounds(max_seconds=longest_audio_s),
                ),
            )
            upload.file.close()
            state.metrics.audio("received", audio.duration)
            longest_s = settings.audio_request_timeout_s + audio.duration
            spent_s = time.monotonic() - began
            context = request_context(request, longest_s, spent_s=spent_s, owner=caller.owner)
            return await work(_Received(form, audio, context, caller, attempt))


async def _parts(upload: Upload) -> tuple[bytes, ...]:
    """What an ``Idempotency-Key`` stands for: fields by name, and the file's digest."""
    fields = [part.encode() for pair in sorted(upload.fields.items()) for part in pair]
    return (*fields, await asyncio.to_thread(upload.file.digest))


@router.post(
    "/transcribe/audio",
    summary="Transcribe a recording",
    response_class=Response,
    response_model=None,
    dependencies=[Depends(recording_place)],
    openapi_extra=form_operation(
        {
            "file": _FILE,
            "source_language": {**_LANGUAGE, "default": "auto"},
            "target_language": {**_LANGUAGE, "description": "Translate into this language too."},
            "response_format": {
                "type": "string",
                "enum": list(RESPONSE_FORMATS),
                "default": "json",
            },
            "word_timestamps": {"type": "boolean", "default": False},
            "glossary": _GLOSSARY,
        },
        required=["file"],
        content={
            "application/json": ref(TranscriptAnswer),
            "text/plain": {"type": "string"},
            "application/x-subrip": {"type": "string"},
            "text/vtt": {"type": "string"},
        },
        failures=_FAILURES,
        scope=Scope.TRANSCRIBE,
    ),
)
async def transcribe_audio(request: Request) -> Response:
    """Turn speech into text and, when `target_language` is given, translate it.

    `text`, `srt` and `vtt` hold the translation when there is one. `verbose_json` adds the
    confidence of each segment and what the upload was.
    """
    translator = services_of(request).translator
    return await _answered(
        request,
        Scope.TRANSCRIBE,
        _TranscribeForm.NAMES,
        _TranscribeForm.parse,
        lambda form: translator.check_speech(form.source, form.target),
        state_of(request).settings.max_audio_s,
        partial(_transcribe, request),
    )


async def _transcribe(request: Request, received: _Received[_TranscribeForm]) -> Response:
    form, audio = received.form, received.audio
    async with _taken(request, received, "transcribe") as reservation:
        found = await cancel_on_disconnect(
            request,
            services_of(request).translator.transcribe(
                audio.samples,
                language=form.source,
                target=form.target,
                word_timestamps=form.words,
                glossary=form.glossary,
                context=received.context,
            ),
        )
        answer = _transcript(request, form, audio, found)
        characters = len(found.text) if found.translation else 0
        await received.attempt.settle(reservation, answer, characters=characters)
    return answer


def _taken(
    request: Request, received: _Received[Form], operation: Operation
) -> AbstractAsyncContextManager[Reservation]:
    """The recording's length, taken before the work."""
    metering, seconds = state_of(request).metering, received.audio.duration
    return reserved(request, metering, received.caller, operation, audio_s=seconds)


def _transcript(
    request: Request, form: _TranscribeForm, audio: DecodedAudio, found: Transcription
) -> Response:
    """The transcript in the form that was asked for."""
    translated = found.translation is not None
    shape = form.shape
    if shape == "text":
        body = to_text(found.segments, translated=translated)
        return Response(body, media_type="text/plain")
    if shape == "srt":
        body = to_srt(found.segments, translated=translated)
        return Response(body, media_type="application/x-subrip")
    if shape == "vtt":
        return Response(to_vtt(found.segments, translated=translated), media_type="text/vtt")
    recording = RecordingInfo(
        format=audio.format,
        codec=audio.codec,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
        truncated=audio.truncated,
    )
    return json_response(
        transcript_answer(
            found,
            request_id=request_id_of(request),
            words=form.words,
            recording=recording if shape == "verbose_json" else None,
        )
    )


@router.post(
    "/translate/speech",
    summary="Translate speech into speech",
    response_class=Response,
    response_model=None,
    dependencies=[Depends(recording_place)],
    openapi_extra=form_operation(
        {
            "file": _FILE,
            "source_language": {**_LANGUAGE, "default": "auto"},
            "target_language": _LANGUAGE,
            "voice": {"type": "string", "description": "An id from `GET /voices`."},
            "audio_format": {"type": "string", "enum": list(AUDIO_FORMATS), "default": "wav"},
            "sample_rate": {"type": "integer", "description": "Hz; the voice's own by default."},
            "glossary": _GLOSSARY,
        },
        required=["file", "target_language"],
        content={
            **{kind: {"type": "string", "format": "binary"} for kind in MEDIA_TYPES.values()},
            "application/json": ref(SpeechAnswer),
            "multipart/mixed": {"type": "string", "format": "binary"},
        },
        failures=_FAILURES,
        scope=Scope.SPEECH,
    ),
)
async def translate_speech(request: Request) -> Response:
    """Answer a recording with its translation, spoken.

    The answer is the audio. With `Accept: multipart/mixed` a JSON part with both texts comes
    before it; with `Accept: application/json` the audio stands in the JSON as base64.
    """
    translator = services_of(request).translator
    return await _answered(
        request,
        Scope.SPEECH,
        _SpeechForm.NAMES,
        _SpeechForm.parse,
        lambda form: translator.check_speech(
            form.source, form.target, speak=True, voice=form.voice
        ),
        state_of(request).settings.max_spoken_audio_s,
        partial(_speak, request),
    )


async def _speak(request: Request, received: _Received[_SpeechForm]) -> Response:
    form = received.form
    async with _taken(request, received, "speech") as reservation:
        spoken = await cancel_on_disconnect(
            request,
            services_of(request).translator.translate_speech(
                received.audio.samples,
                source=form.source,
                target=form.target,
                voice=form.voice,
                glossary=form.glossary,
                context=received.context,
            ),
        )
        speech = spoken.speech
        state_of(request).metrics.audio("spoken", len(speech.samples) / speech.sample_rate)
        answer = await asyncio.to_thread(_spoken, request, form, spoken)
        characters = len(spoken.transcription.text)
        await received.attempt.settle(reservation, answer, characters=characters)
    return answer


def _spoken(request: Request, form: _SpeechForm, spoken: SpokenTranslation) -> Response:
    """The audio alone, after a JSON part, or inside JSON, as ``Accept`` prefers.

    Encoding a long answer takes seconds, so it belongs in a thread.
    """
    speech = spoken.speech
    audio = encode_audio(
        speech.samples,
        speech.sample_rate,
        audio_format=form.audio_format,
        output_rate=form.sample_rate,
    )
    translation = spoken.transcription.translation
    if translation is None:  # the async door always sets it here
        raise EmptyAudio("No speech was found in the recording.")
    kind = MEDIA_TYPES[form.audio_format]
    wanted = preferred_type(
        request.headers, (kind, "application/json", "multipart/mixed"), default=kind
    )
    rate = choose_rate(form.audio_format, speech.sample_rate, form.sample_rate)
    if wanted == kind:
        return Response(audio, media_type=kind, headers=_languages(spoken, translation))
    answer = speech_answer(
        spoken,
        translation,
        request_id=request_id_of(request),
        audio_format=form.audio_format,
        media_type=kind,
        sample_rate=rate,
        audio=audio if wanted == "application/json" else None,
    )
    if wanted == "application/json":
        return json_response(answer)
    return multipart_mixed([("application/json", encode(answer)), (kind, audio)])


def _languages(spoken: SpokenTranslation, translation: Translation) -> dict[str, str]:
    return {
        "Content-Language": translation.target.tag,
        "X-Source-Language": tag_of(spoken.transcription.language),
    }
