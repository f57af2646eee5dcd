"""``POST /transcribe/audio`` and ``POST /translate/speech``: a recording in a multipart form."""

from __future__ import annotations

import asyncio
from functools import partial

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
from speech_translator.api.body import cancel_on_disconnect
from speech_translator.api.dependencies import (
    recording_place,
    services_of,
    state_of,
)
from speech_translator.api.multipart import multipart_mixed
from speech_translator.api.negotiation import preferred_type
from speech_translator.api.openapi import form_operation, ref
from speech_translator.api.recording_forms import (
    AUDIO_FORMATS,
    RESPONSE_FORMATS,
    SpeechForm,
    TranscribeForm,
)
from speech_translator.api.recordings import Received, answered, taken
from speech_translator.api.schemas import RecordingInfo, SpeechAnswer, TranscriptAnswer
from speech_translator.errors import EmptyAudio
from speech_translator.exports import DOCX_TYPE, to_docx, to_srt, to_text, to_vtt
from speech_translator.media import MEDIA_TYPES, DecodedAudio
from speech_translator.media import encode as encode_audio
from speech_translator.media.encoding import choose_rate
from speech_translator.problems import request_id_of
from speech_translator.scalability.results import (
    SpokenTranslation,
    Transcription,
    Translation,
)
from speech_translator.security.scopes import Scope

router = APIRouter(tags=["speech"])

_FAILURES = (400, 401, 403, 408, 409, 413, 415, 422, 502, 503, 504)
_LANGUAGE = {"type": "string", "maxLength": 35}
_FILE = {"type": "string", "format": "binary", "description": "The recording."}
_GLOSSARY = {"type": "string", "description": "A JSON object: source terms and their translations."}


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
            DOCX_TYPE: {"type": "string", "format": "binary"},
        },
        failures=_FAILURES,
        scope=Scope.TRANSCRIBE,
    ),
)
async def transcribe_audio(request: Request) -> Response:
    """Turn speech into text and, when `target_language` is given, translate it.

    `text`, `srt` and `vtt` hold the translation when there is one, `docx` both beside each other.
    `verbose_json` adds the confidence of each segment and what the upload was.
    """
    translator = services_of(request).translator
    return await answered(
        request,
        Scope.TRANSCRIBE,
        TranscribeForm.NAMES,
        TranscribeForm.parse,
        lambda form: translator.check_speech(form.source, form.target),
        state_of(request).settings.max_audio_s,
        partial(_transcribe, request),
    )


async def _transcribe(request: Request, received: Received[TranscribeForm]) -> Response:
    form, audio = received.form, received.audio
    async with taken(request, received, "transcribe") as reservation:
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


def _transcript(
    request: Request, form: TranscribeForm, audio: DecodedAudio, found: Transcription
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
    if shape == "docx":
        return Response(to_docx(found, translated=translated), media_type=DOCX_TYPE)
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
    return await answered(
        request,
        Scope.SPEECH,
        SpeechForm.NAMES,
        SpeechForm.parse,
        lambda form: translator.check_speech(
            form.source, form.target, speak=True, voice=form.voice
        ),
        state_of(request).settings.max_spoken_audio_s,
        partial(_speak, request),
    )


async def _speak(request: Request, received: Received[SpeechForm]) -> Response:
    form = received.form
    async with taken(request, received, "speech") as reservation:
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


def _spoken(request: Request, form: SpeechForm, spoken: SpokenTranslation) -> Response:
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
