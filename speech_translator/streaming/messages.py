"""The messages of ``WS /translate/stream``: parsed and checked on the way in, typed on the way out.

Clients send one JSON text message, then audio as binary messages, then ``{"type": "end"}``; in
between ``{"type": "keep_alive"}`` where they have no audio to send, and ``{"type": "update"}`` to
have other targets. Every message of the server is
JSON with ``type`` and ``seq``, which rises; a number is left out where a partial gave way to a
later one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

import msgspec

from speech_translator.errors import InvalidField, MalformedBody, ProtocolViolation
from speech_translator.languages import Language, parse_source
from speech_translator.media.pcm import PCM_RATES, PcmEncoding
from speech_translator.media.resampling import SAMPLE_RATE

T = TypeVar("T", bound=msgspec.Struct)

MAX_TARGETS = 5
MAX_TEXT_CHARS = 16 * 1024
"""Longest text message of a client behind the first one."""

MAX_FIRST_CHARS = 128 * 1024
"""Longest first message: 200 terms of a glossary, each and its translation of 200 characters."""

MAX_FRAME_BYTES = 256 * 1024
"""Largest binary message of a client: 8 s of 16 kHz PCM."""

EndReason = Literal["end", "idle_timeout", "session_too_long", "shutting_down", "superseded"]

ContainerEncoding = Literal["webm_opus", "ogg_opus"]
"""What a browser's MediaRecorder makes of a microphone."""

Control = Literal["end", "keep_alive", "unshare"]
"""Types of a client's later text messages that say nothing more."""

ENCODINGS: tuple[str, ...] = (*get_args(PcmEncoding), *get_args(ContainerEncoding))
"""What ``AudioFormat.encoding`` may be."""

_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")


# From the client


class AudioFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the binary messages hold: mono samples, or a container that states its own rate."""

    encoding: str = "pcm_s16le"
    sample_rate: int | None = None


class StartMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session that is to begin, as a client asks for it."""

    source_language: str
    type: Literal["start"] = "start"
    target_languages: list[str] = []
    audio: AudioFormat = AudioFormat()
    partials: bool = False
    speech: bool = False
    voice: str | None = None
    share: bool = False
    glossary: dict[str, str] = {}
    barge_in: bool = False


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A session as asked for, checked; ``source`` None means that it is to be detected.

    ``voice`` is the ``Voice.id`` that speaks; None for the best one. ``share`` lets others read.
    ``glossary`` are source terms and the words that must stand for them; how many there may be is
    not checked here. ``barge_in`` says that whoever speaks stops what is being spoken.
    """

    source: Language | None
    targets: tuple[Language, ...]
    audio: AudioFormat
    partials: bool
    speech: bool
    voice: str | None = None
    share: bool = False
    glossary: Mapping[str, str] = field(default_factory=dict)
    barge_in: bool = False


class UpdateMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other targets, and whether and by whom the first is spoken, for what has not ended yet."""

    target_languages: list[str]
    type: Literal["update"] = "update"
    speech: bool = False
    voice: str | None = None


class ResumeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session that is to go on: its token, and the number of the last event that was seen."""

    token: Annotated[str, msgspec.Meta(max_length=128)]
    last_seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    type: Literal["resume"] = "resume"


def parse_first(message: str | bytes) -> StartRequest | ResumeRequest:
    """The first message of a client: a session to begin, or one to go on with.

    Raises:
        ProtocolViolation, MalformedBody, InvalidField, UnknownLanguage: as ``parse_start``.
    """
    if _kind_of(message, MAX_FIRST_CHARS) != "resume":
        return parse_start(message)
    try:
        return msgspec.json.decode(message, type=ResumeRequest)
    except msgspec.ValidationError as error:
        raise InvalidField(
            "To go on, a session needs its `token` and `last_seq`.",
            field=_field_of(error),
            fields=list(ResumeRequest.__struct_fields__),
        ) from None


def parse_start(message: str | bytes) -> StartRequest:
    """The first message of a client.

    Raises:
        ProtocolViolation: it is binary, too large, or of another type.
        MalformedBody: it is not JSON.
        InvalidField: a field is missing, unknown or wrong; ``details["field"]`` names it.
        UnknownLanguage: a language code that no table knows.
    """
    kind = _kind_of(message, MAX_FIRST_CHARS)
    if kind not in {"start", None}:
        raise ProtocolViolation("The first message must describe the session.", expected="start")
    asked = _parsed(message, StartMessage)
    return StartRequest(
        parse_source(asked.source_language),
        _targets(asked),
        _audio(asked.audio),
        asked.partials,
        asked.speech,
        _voice(asked),
        asked.share,
        asked.glossary,
        asked.barge_in,
    )


def updated(request: StartRequest, message: UpdateMessage) -> StartRequest:
    """A session as it is wanted after an update.

    Raises:
        InvalidField, UnknownLanguage: as ``parse_start``.
    """
    return replace(request, targets=_targets(message), speech=message.speech, voice=_voice(message))


def restarted(start: str, message: UpdateMessage) -> str:
    """The first message that would begin a session as it is after an update."""
    again = msgspec.structs.replace(
        msgspec.json.decode(start, type=StartMessage),
        target_languages=message.target_languages,
        speech=message.speech,
        voice=message.voice,
    )
    return msgspec.json.encode(again).decode()


def _parsed(message: str | bytes, kind: type[T]) -> T:
    """A message as a struct.

    Raises:
        InvalidField: a field is missing, unknown or wrong.
    """
    try:
        return msgspec.json.decode(message, type=kind)
    except msgspec.ValidationError as error:
        field = _field_of(error)
        needed = next(one.name for one in msgspec.structs.fields(kind) if one.required)
        raise InvalidField(
            f"`{field}` is missing, unknown or of the wrong type."
            if field
            else f"A field is missing or unknown; {needed} is needed.",
            field=field,
            fields=list(kind.__struct_fields__),
        ) from None


def _audio(asked: AudioFormat) -> AudioFormat:
    """The format, checked, with its rate where the client has to state one."""
    if asked.encoding not in ENCODINGS:
        raise InvalidField(
            "This audio encoding is not offered.",
            field="audio.encoding",
            supported=list(ENCODINGS),
        )
    if asked.encoding in get_args(ContainerEncoding):
        if asked.sample_rate is not None:
            raise InvalidField(
                "A container states its sample rate itself; leave it out.",
                field="audio.sample_rate",
            )
        return asked
    rate = SAMPLE_RATE if asked.sample_rate is None else asked.sample_rate
    if rate not in PCM_RATES:
        raise InvalidField(
            "This sample rate is not offered.",
            field="audio.sample_rate",
            supported=list(PCM_RATES),
        )
    return AudioFormat(asked.encoding, rate)


def parse_control(message: str) -> Control | UpdateMessage:
    """A later text message of a client.

    Raises:
        ProtocolViolation: anything but a ``Control`` or an update.
        InvalidField: an update with a field that is missing, unknown or wrong.
    """
    kind = _kind_of(message, MAX_TEXT_CHARS)
    if kind == "update":
        return _parsed(message, UpdateMessage)
    for control in get_args(Control):
        if kind == control:
            return cast("Control", control)
    raise ProtocolViolation(
        "After the first message only audio, `end`, `keep_alive`, `unshare` and `update` are "
        "taken.",
        expected=[*get_args(Control), "update"],
    )


def _kind_of(message: str | bytes, max_chars: int) -> str | None:
    """The ``type`` of a text message; None where it has none.

    Raises:
        ProtocolViolation: it is binary or too long.
        MalformedBody: it is not a JSON object.
    """
    if isinstance(message, bytes):
        raise ProtocolViolation("The first message must be JSON text, not audio.", expected="start")
    if len(message) > max_chars:
        raise ProtocolViolation("The text message is too long.", max_characters=max_chars)
    try:
        body: Any = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise MalformedBody("The message is not valid JSON.") from None
    if not isinstance(body, dict):
        raise MalformedBody("The message must be a JSON object.")
    kind = body.get("type")
    return kind if kind is None or isinstance(kind, str) else ""


def _field_of(error: msgspec.ValidationError) -> str | None:
    """The path of a wrong field. Unknown fields are not named: that would echo the client."""
    message = str(error)
    missing = re.match(r"Object missing required field `(\w+)`", message)
    place = _PLACE.search(message)
    path = place[1] if place else ""
    if missing:
        return f"{path}.{missing[1]}".lstrip(".")
    return path or None


def _targets(asked: StartMessage | UpdateMessage) -> tuple[Language, ...]:
    if len(asked.target_languages) > MAX_TARGETS:
        raise InvalidField(
            f"At most {MAX_TARGETS} target languages.",
            field="target_languages",
            max_targets=MAX_TARGETS,
        )
    targets = tuple(Language.parse(code) for code in asked.target_languages)
    if len(set(targets)) < len(targets):
        raise InvalidField("A target language is named twice.", field="target_languages")
    if asked.speech and not targets:
        raise InvalidField("Speech needs a target language.", field="speech")
    return targets


def _voice(asked: StartMessage | UpdateMessage) -> str | None:
    if asked.voice is not None and not asked.speech:
        raise InvalidField("A voice needs speech.", field="voice")
    return asked.voice


# From the server


class ServerEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A message to the client; ``encode`` gives it its number."""


class Ready(ServerEvent, frozen=True, kw_only=True, tag="ready"):
    """The session has begun, or goes on; languages as BCP-47, None for one to be detected.

    The client's audio is wanted from ``audio_s`` seconds of the session on. ``resume_token``, which
    is good once, lets it come back after its connection broke; None where that is not offered.
    ``share_secret`` opens ``GET /captions/{session_id}``, and is told once; None where it was told
    before, or sharing was not asked for.
    """

    session_id: str
    resumed: bool
    audio_s: float
    resume_token: str | None
    share_secret: str | None
    source_language: str | None
    target_languages: tuple[str, ...]
    audio: AudioFormat
    partials: bool
    speech: bool
    voice: str | None
    barge_in: bool


class Partial(ServerEvent, frozen=True, kw_only=True, tag="partial"):
    """The running utterance so far; replaces the last partial of its segment.

    What stands before ``confirmed_chars`` in ``text`` holds for the partials that follow;
    ``translations`` are of the clauses that were confirmed.
    """

    segment_id: int
    start: float
    end: float
    text: str
    confirmed_chars: int
    language: str | None
    translations: dict[str, str]


class Final(ServerEvent, frozen=True, kw_only=True, tag="final"):
    """A finished utterance; it never changes.

    ``start`` and ``end`` are seconds of the session's audio, ``latency_ms`` the time from the
    arrival of the audio at ``end`` to this message.
    """

    segment_id: int
    start: float
    end: float
    text: str
    language: str
    translations: dict[str, str]
    latency_ms: int


class SpokenAudio(ServerEvent, frozen=True, kw_only=True, tag="audio"):
    """A piece of the spoken translation of a segment: base64 of mono 16-bit PCM.

    ``index`` counts the pieces of a segment from 0; ``last`` marks its end.
    """

    segment_id: int
    language: str
    index: int
    last: bool
    sample_rate: int
    audio: bytes
    encoding: str = "pcm_s16le"


class SpeechStopped(ServerEvent, frozen=True, kw_only=True, tag="speech_stopped"):
    """The speaker barged in: what was sent and is not played yet is to be dropped.

    No more `audio` comes of segments that were final before. ``audio_s`` is where in the session's
    audio the speaker began.
    """

    audio_s: float


class Ack(ServerEvent, frozen=True, kw_only=True, tag="ack"):
    """Everything before ``audio_s`` seconds of the session's audio is final or silence."""

    audio_s: float


class Warned(ServerEvent, frozen=True, kw_only=True, tag="warning"):
    """Something the client may want to know; the session goes on."""

    code: str
    message: str
    segment_id: int | None = None
    details: dict[str, Any] = {}


class Failed(ServerEvent, frozen=True, kw_only=True, tag="error"):
    """An error of the tree in ``errors.py``; after one with ``fatal`` the socket closes.

    Otherwise a segment could not be recognised, or, without one, an update is not made.
    """

    code: str
    message: str
    fatal: bool
    segment_id: int | None = None
    details: dict[str, Any] = {}


class Updated(ServerEvent, frozen=True, kw_only=True, tag="updated"):
    """The session as it is from now on; what had ended before is told as it was wanted then."""

    target_languages: tuple[str, ...]
    speech: bool
    voice: str | None


class Unshared(ServerEvent, frozen=True, kw_only=True, tag="unshared"):
    """The captions of this session are shared no longer; its readers are gone."""


class Done(ServerEvent, frozen=True, kw_only=True, tag="done"):
    """The last message of a session that was not broken off."""

    reason: EndReason
    audio_s: float
    segments: int


def encode(event: ServerEvent, seq: int) -> str:
    """The JSON text of an event with its number."""
    body = msgspec.json.encode(event, enc_hook=str)
    return f'{{"seq":{seq},{body[1:].decode()}'
