"""A recording on its way to a route: received, decoded, and its length taken from the limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.body import Pace, cancel_on_disconnect
from speech_translator.api.dependencies import (
    admitted,
    request_context,
    services_of,
    state_of,
)
from speech_translator.api.idempotency import Attempt, once
from speech_translator.api.metering import reserved
from speech_translator.api.uploads import FORM_OVERHEAD, Upload, receive_upload
from speech_translator.media import DecodedAudio
from speech_translator.scalability.results import (
    RequestContext,
)
from speech_translator.security.guard import Caller
from speech_translator.security.idempotency import HEADER
from speech_translator.security.input_validator import AudioBounds, validate_audio_upload
from speech_translator.security.quotas import Reservation
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import file_bytes, smaller
from speech_translator.settings import Settings
from speech_translator.storage.usage import Operation

Form = TypeVar("Form")


@dataclass(frozen=True, slots=True)
class Received(Generic[Form]):
    """A form with its recording, decoded; who sent it, and until when it is worth an answer.

    ``attempt`` keeps the answer where an ``Idempotency-Key`` was sent.
    """

    form: Form
    audio: DecodedAudio
    context: RequestContext
    caller: Caller
    attempt: Attempt


async def answered(
    request: Request,
    scope: Scope,
    names: Collection[str],
    parse: Callable[[Mapping[str, str], Settings], Form],
    check: Callable[[Form], None],
    longest_audio_s: float,
    work: Callable[[Received[Form]], Awaitable[Response]],
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
            context = request_context(request, longest_s, spent_s=spent_s, caller=caller)
            return await work(Received(form, audio, context, caller, attempt))


async def _parts(upload: Upload) -> tuple[bytes, ...]:
    """What an ``Idempotency-Key`` stands for: fields by name, and the file's digest."""
    fields = [part.encode() for pair in sorted(upload.fields.items()) for part in pair]
    return (*fields, await asyncio.to_thread(upload.file.digest))


def taken(
    request: Request, received: Received[Form], operation: Operation
) -> AbstractAsyncContextManager[Reservation]:
    """The recording's length, taken before the work."""
    metering, seconds = state_of(request).metering, received.audio.duration
    return reserved(request, metering, received.caller, operation, audio_s=seconds)
