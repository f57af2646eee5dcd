"""Recordings, opened for the decoder, whatever they come from."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO

from speech_translator.cli.lines import chunks
from speech_translator.cli.recordings import Recording, unreadable

if TYPE_CHECKING:
    from speech_translator.media.decoder_values import Upload
    from speech_translator.settings import Settings


@asynccontextmanager
async def open_recording(
    recording: Recording, standard_input: Callable[[], BinaryIO], settings: Settings
) -> AsyncIterator[Upload]:
    """The recording as a file that can be read from any place in it.

    What comes through a pipe, a named one too, is written to a file without a name first, at most
    ``max_upload_bytes`` of it.

    Raises:
        InvalidAudio: it cannot be read.
        PayloadTooLarge: more came through a pipe.
    """
    from speech_translator.media import spool  # noqa: PLC0415  start quickly

    if recording.path is None:
        stream = standard_input()
    else:
        try:
            stream = recording.path.open("rb", buffering=0)
        except OSError as error:
            raise unreadable(error) from None
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            with stream:
                yield stream
            return
    limit = settings.max_upload_bytes
    with await spool(chunks(stream), max_bytes=limit, directory=settings.spool_dir) as spooled:
        yield spooled
