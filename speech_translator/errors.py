"""Every error of the project, in one tree with stable codes.

::

    SpeechTranslatorError
    ├── ConfigurationError            configuration        the service refuses to start
    │   ├── ModelMissing              model_missing
    │   └── ModelDamaged              model_damaged
    ├── InvalidRequest                invalid_request      the caller must change something
    │   ├── MalformedBody             malformed_body       not JSON, not a form, invalid UTF-8
    │   ├── InvalidField              invalid_field        a field is missing, unknown or wrong
    │   ├── PayloadTooLarge           payload_too_large
    │   ├── BodyTimeout               body_timeout         the body came too slowly
    │   ├── UnsupportedMediaType      unsupported_media_type
    │   ├── Unauthenticated           unauthenticated      no key or token, or none that is valid
    │   ├── Forbidden                 forbidden            the key lacks a scope, or owns it not
    │   ├── LimitExceeded             limit_exceeded       a rate limit or a quota is used up
    │   ├── Suspended                 suspended            their inputs crashed an engine too often
    │   ├── IdempotencyInProgress     idempotency_in_progress  the same request is at work
    │   ├── IdempotencyKeyReused      idempotency_key_reused   for another request
    │   ├── AnswerNotKept             answer_not_kept      done, and cannot be told again
    │   ├── NotFound                  not_found
    │   ├── MethodNotAllowed          method_not_allowed
    │   ├── UntrustedHost             untrusted_host       a Host that is not ours
    │   ├── CrossSiteRequest          cross_site_request   sent by another site's page
    │   ├── InvalidText               invalid_text
    │   │   ├── EmptyText             empty_text
    │   │   └── TextTooLong           text_too_long
    │   ├── TooManyTexts              too_many_texts
    │   ├── InvalidMarkup             invalid_markup
    │   ├── InvalidGlossary           invalid_glossary
    │   ├── UnknownLanguage           unknown_language
    │   ├── LanguageNotDetected       language_not_detected
    │   ├── UnsupportedPair           unsupported_pair
    │   ├── UnsupportedVoice          unsupported_voice
    │   ├── UnsupportedFormat         unsupported_format
    │   ├── InvalidAudio              invalid_audio
    │   │   ├── UnsupportedAudio      unsupported_audio    not a container or codec that is accepted
    │   │   ├── NoAudioTrack          no_audio_track
    │   │   ├── EmptyAudio            empty_audio
    │   │   ├── DamagedAudio          damaged_audio
    │   │   └── AudioTooLong          audio_too_long
    │   ├── ProtocolViolation         protocol_violation   a live client broke the message protocol
    │   ├── SlowConsumer              slow_consumer        a live client does not take its events
    │   ├── ResumeRefused             resume_refused       no live session to go on with
    │   └── PoisonousInput            poisonous_input      it crashed an engine twice
    └── Unavailable                   unavailable          try again later
        ├── CircuitOpen               circuit_open         it failed lately and is left alone
        ├── EngineUnavailable         engine_unavailable   not installed, not ready, or restarting
        ├── EngineFailed              engine_failed        the engine raised an error of its own
        │   └── AnswerRejected        answer_rejected      it answered what is no translation
        ├── EngineTimeout             engine_timeout
        ├── Overloaded                overloaded           a bounded queue is full
        ├── StoreUnavailable          store_unavailable    a database or Redis does not answer
        ├── DeadlineExceeded          deadline_exceeded
        └── ShuttingDown              shutting_down        it was given up
            └── Draining              draining             it was not begun

Messages are for the caller: they say what to do and never hold the caller's text, a stack or a
path. ``problems.py`` is the one place that maps the tree to HTTP and WebSocket answers.
"""

from __future__ import annotations

from typing import ClassVar


class SpeechTranslatorError(Exception):
    """Root of the tree.

    Args:
        message: one sentence for the caller.
        details: further fields that are safe to show (limits, supported values).
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ConfigurationError(SpeechTranslatorError):
    """The service or a part of it cannot run as configured."""

    code = "configuration"


class ModelMissing(ConfigurationError):
    """Weights are not installed; the message gives the command that adds them."""

    code = "model_missing"


class ModelDamaged(ConfigurationError):
    """Weights do not match their SHA-256 and could not be mended."""

    code = "model_damaged"


class InvalidRequest(SpeechTranslatorError):
    """The caller must change something before trying again."""

    code = "invalid_request"


class MalformedBody(InvalidRequest):
    """The body cannot be read at all: not JSON or not a form, invalid UTF-8, too deep."""

    code = "malformed_body"


class InvalidField(InvalidRequest):
    """A field or header is missing, unknown or of the wrong type; ``details["field"]`` names it."""

    code = "invalid_field"


class PayloadTooLarge(InvalidRequest):
    """The body is larger than the limit.

    ``begun``: a part of it was read before that was known.
    """

    code = "payload_too_large"

    def __init__(self, message: str, *, begun: bool = True, **details: object) -> None:
        super().__init__(message, **details)
        self.begun = begun


class BodyTimeout(InvalidRequest):
    """The body did not arrive in its time."""

    code = "body_timeout"


class UnsupportedMediaType(InvalidRequest):
    """The route does not take a body of this content type or encoding."""

    code = "unsupported_media_type"


class Unauthenticated(InvalidRequest):
    """No credential was given, or none that is valid; which of them it is not is not told."""

    code = "unauthenticated"


class Forbidden(InvalidRequest):
    """The credential is valid and does not allow this; ``details["scope"]`` may name what would."""

    code = "forbidden"


class LimitExceeded(InvalidRequest):
    """A limit or quota is used up; ``retry_after`` is in seconds, None where no wait is sure."""

    code = "limit_exceeded"

    def __init__(
        self, message: str, *, retry_after: float | None = None, **details: object
    ) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class Suspended(InvalidRequest):
    """The caller's inputs ended an engine too often; ``retry_after`` is in seconds."""

    code = "suspended"

    def __init__(
        self, message: str, *, retry_after: float | None = None, **details: object
    ) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class IdempotencyInProgress(InvalidRequest):
    """A request with the same Idempotency-Key is at work; ``retry_after`` is in seconds."""

    code = "idempotency_in_progress"

    def __init__(
        self, message: str, *, retry_after: float | None = None, **details: object
    ) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class IdempotencyKeyReused(InvalidRequest):
    """The Idempotency-Key belongs to another request."""

    code = "idempotency_key_reused"


class AnswerNotKept(InvalidRequest):
    """The request was done before, and its answer cannot be told again."""

    code = "answer_not_kept"


class NotFound(InvalidRequest):
    """No such route or resource."""

    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    """The route exists, but not for this method."""

    code = "method_not_allowed"


class UntrustedHost(InvalidRequest):
    """The ``Host`` header names something that this server is not; see ``TRUSTED_HOSTS``."""

    code = "untrusted_host"


class CrossSiteRequest(InvalidRequest):
    """A browser sent it on behalf of another site's page."""

    code = "cross_site_request"


class InvalidText(InvalidRequest):
    """Text holds what no text may hold: lone surrogates or control characters."""

    code = "invalid_text"


class EmptyText(InvalidText):
    """A text is the empty string, or a list of texts is empty."""

    code = "empty_text"


class TextTooLong(InvalidText):
    """A text is longer than the limit, in characters."""

    code = "text_too_long"


class TooManyTexts(InvalidRequest):
    """More texts in one request than the limit."""

    code = "too_many_texts"


class InvalidMarkup(InvalidRequest):
    """HTML that is nested too deeply or not parseable within bounds."""

    code = "invalid_markup"


class InvalidGlossary(InvalidRequest):
    """A glossary with empty or over-long terms, or too many."""

    code = "invalid_glossary"


class UnknownLanguage(InvalidRequest):
    """A language code that no table knows; ``details["close_matches"]`` names similar ones."""

    code = "unknown_language"


class LanguageNotDetected(InvalidRequest):
    """``auto`` was asked for and the input is too short or too mixed to be sure."""

    code = "language_not_detected"


class UnsupportedPair(InvalidRequest):
    """No engine and no pivot covers the pair; details say what is supported."""

    code = "unsupported_pair"


class UnsupportedVoice(InvalidRequest):
    """No such voice, or not for this language."""

    code = "unsupported_voice"


class UnsupportedFormat(InvalidRequest):
    """An output format or rate that is not offered."""

    code = "unsupported_format"


class InvalidAudio(InvalidRequest):
    """The upload cannot be used as audio."""

    code = "invalid_audio"


class UnsupportedAudio(InvalidAudio):
    """By its content the upload is not one of the accepted containers or codecs."""

    code = "unsupported_audio"


class NoAudioTrack(InvalidAudio):
    """The container holds no audio track."""

    code = "no_audio_track"


class EmptyAudio(InvalidAudio):
    """No bytes, or no samples after decoding."""

    code = "empty_audio"


class DamagedAudio(InvalidAudio):
    """Recognised, but it cannot be decoded within the decoder's bounds."""

    code = "damaged_audio"


class AudioTooLong(InvalidAudio):
    """Longer than the limit, in seconds of decoded audio."""

    code = "audio_too_long"


class ProtocolViolation(InvalidRequest):
    """A live client sent a message that the protocol does not allow."""

    code = "protocol_violation"


class SlowConsumer(InvalidRequest):
    """A live client did not take what it was sent; its session is over."""

    code = "slow_consumer"


class ResumeRefused(InvalidRequest):
    """A live session that is unknown, too old, taken over already, or somebody else's."""

    code = "resume_refused"


class PoisonousInput(InvalidRequest):
    """This input crashed its engine twice; it is refused from now on, by digest."""

    code = "poisonous_input"


class Unavailable(SpeechTranslatorError):
    """Nothing is wrong with the request; trying again later may work.

    Args:
        message: one sentence for the caller.
        retry_after: seconds after which a new try makes sense, where that is known.
        details: further fields that are safe to show.
    """

    code = "unavailable"

    def __init__(
        self, message: str, *, retry_after: float | None = None, **details: object
    ) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class CircuitOpen(Unavailable):
    """A dependency failed lately, so that its breaker lets no call pass for ``retry_after``."""

    code = "circuit_open"


class EngineUnavailable(Unavailable):
    """The engine is not ready: still loading, restarting, or given up."""

    code = "engine_unavailable"


class EngineFailed(Unavailable):
    """The engine raised an error of its own on this input."""

    code = "engine_failed"


class AnswerRejected(EngineFailed):
    """The engine works, but its answer to this input did not pass the checks; another may do."""

    code = "answer_rejected"


class EngineTimeout(Unavailable):
    """The engine did not answer in its time and was restarted."""

    code = "engine_timeout"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code = "overloaded"


class StoreUnavailable(Unavailable):
    """A database or Redis does not answer in its time."""

    code = "store_unavailable"


class DeadlineExceeded(Unavailable):
    """The request's own deadline passed before the answer was there."""

    code = "deadline_exceeded"


class ShuttingDown(Unavailable):
    """The service stops and gave up what was under way."""

    code = "shutting_down"


class Draining(ShuttingDown):
    """The service is about to stop: it finishes what is under way and takes no new work."""

    code = "draining"
