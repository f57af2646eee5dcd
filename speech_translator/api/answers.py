"""From the values of the async door to the bodies of ``schemas``."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from speech_translator.api.schemas import (
    RecordingInfo,
    SegmentAnswer,
    SpeechAnswer,
    TextItem,
    TranscriptAnswer,
    TranslateTextAnswer,
    TranslationAnswer,
    WordAnswer,
)
from speech_translator.languages import Language
from speech_translator.scalability.results import (
    SpokenTranslation,
    TranscribedSegment,
    Transcription,
    Translation,
)

SEVERAL_LANGUAGES = "mul"
UNDETERMINED = "und"
JSON_TYPE = "application/json"

encode = msgspec.json.Encoder().encode


def json_response(body: object, *, status: int = 200) -> Response:
    """A struct as JSON."""
    return Response(encode(body), status_code=status, media_type=JSON_TYPE)


def no_store(body: object, *, status: int = 200) -> Response:
    """A struct as JSON that no cache keeps: it holds a credential, or is one owner's."""
    response = json_response(body, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def tag_of(language: Language | None) -> str:
    """BCP-47, also where no language was found."""
    return language.tag if language else UNDETERMINED


def text_answer(
    translations: Sequence[Translation],
    *,
    target: Language,
    auto: bool,
    as_list: bool,
    request_id: str,
) -> TranslateTextAnswer:
    """The answer of ``POST /translate/text``."""
    items = tuple(_item(translation, auto=auto) for translation in translations)
    if not as_list:
        item = items[0]
        return TranslateTextAnswer(
            translation=translations[0].text,
            source_language=item.source_language,
            target_language=target.tag,
            engine=item.engine,
            route=item.route,
            cached=item.cached,
            degraded=item.degraded,
            rule_based=item.rule_based,
            request_id=request_id,
            detected_language=item.detected_language,
        )
    source = _shared(item.source_language for item in items)
    return TranslateTextAnswer(
        translation=[translation.text for translation in translations],
        source_language=source,
        target_language=target.tag,
        engine="+".join(dict.fromkeys(item.engine for item in items)),
        route=tuple(dict.fromkeys(step for item in items for step in item.route)),
        cached=all(item.cached for item in items),
        degraded=any(item.degraded for item in items),
        rule_based=any(item.rule_based for item in items),
        request_id=request_id,
        detected_language=source if auto else UNSET,
        items=items,
    )


def _item(translation: Translation, *, auto: bool) -> TextItem:
    found = translation.detected_language if auto else translation.source
    source = tag_of(found)
    return TextItem(
        source_language=source,
        engine=translation.engine,
        route=translation.route,
        cached=translation.cached,
        degraded=translation.degraded,
        rule_based=translation.rule_based,
        detected_language=source if auto else UNSET,
    )


def _shared(tags: Iterable[str]) -> str:
    """The one language of all texts that have one."""
    told = set(tags) - {UNDETERMINED}
    if len(told) > 1:
        return SEVERAL_LANGUAGES
    return told.pop() if told else UNDETERMINED


def transcript_answer(
    found: Transcription, *, request_id: str, words: bool, recording: RecordingInfo | None
) -> TranscriptAnswer:
    """The answer of ``POST /transcribe/audio``; with ``recording`` in its verbose form."""
    return TranscriptAnswer(
        text=found.text,
        language=tag_of(found.language),
        language_confidence=round(found.language_confidence, 4),
        duration=round(found.duration, 3),
        segments=_segments(found.segments, words=words, verbose=recording is not None),
        engine=found.engine,
        degraded=found.degraded,
        request_id=request_id,
        translation=_translation(found.translation) if found.translation else UNSET,
        audio=recording or UNSET,
    )


def speech_answer(
    found: SpokenTranslation,
    translation: Translation,
    *,
    request_id: str,
    audio_format: str,
    media_type: str,
    sample_rate: int,
    audio: bytes | None,
) -> SpeechAnswer:
    """Both texts of ``POST /translate/speech``, and the audio where JSON has to carry it."""
    said, speech = found.transcription, found.speech
    return SpeechAnswer(
        text=said.text,
        language=tag_of(said.language),
        language_confidence=round(said.language_confidence, 4),
        duration=round(said.duration, 3),
        segments=_segments(said.segments, words=False, verbose=False),
        engine=said.engine,
        degraded=said.degraded or speech.degraded,
        translation=_translation(translation),
        voice=speech.voice,
        voice_engine=speech.engine,
        audio_format=audio_format,
        audio_media_type=media_type,
        audio_duration=round(len(speech.samples) / speech.sample_rate, 3),
        sample_rate=sample_rate,
        request_id=request_id,
        audio=UNSET if audio is None else base64.b64encode(audio).decode("ascii"),
    )


def _translation(translation: Translation) -> TranslationAnswer:
    return TranslationAnswer(
        text=translation.text,
        language=translation.target.tag,
        route=translation.route,
        degraded=translation.degraded,
        rule_based=translation.rule_based,
    )


def _segments(
    segments: Sequence[TranscribedSegment], *, words: bool, verbose: bool
) -> tuple[SegmentAnswer, ...]:
    return tuple(
        SegmentAnswer(
            id=segment.id,
            start=round(segment.start, 3),
            end=round(segment.end, 3),
            text=segment.text,
            translation=UNSET if segment.translation is None else segment.translation,
            words=_words(segment) if words else UNSET,
            confidence=round(segment.confidence, 4) if verbose else UNSET,
        )
        for segment in segments
    )


def _words(segment: TranscribedSegment) -> tuple[WordAnswer, ...] | UnsetType:
    return tuple(
        WordAnswer(
            start=round(word.start, 3),
            end=round(word.end, 3),
            text=word.text.strip(),
            probability=round(word.probability, 4),
        )
        for word in segment.words
    )
