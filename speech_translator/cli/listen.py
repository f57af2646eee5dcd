"""``speech-translator listen``: captions in the terminal while somebody speaks."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speech_translator.cli.captions import Captions, SavedCaptions, captions
from speech_translator.cli.live_client import Event, LiveClient, OpenLine
from speech_translator.cli.live_lines import engine_line, service_line
from speech_translator.cli.options import (
    Glossary,
    glossary_terms,
    source_language,
    target_language,
)
from speech_translator.cli.recordings import Recording, Unusable, find_recordings
from speech_translator.cli.sound import from_microphone, from_pipe, from_samples, recorder
from speech_translator.cli.sources import open_recording
from speech_translator.cli.surroundings import (
    Surroundings,
    ready_services,
    request_context,
    run,
    surroundings_of,
)
from speech_translator.cli.terminal import PIPE
from speech_translator.languages import Language

if TYPE_CHECKING:
    from speech_translator.engines.values import Task
    from speech_translator.services import Services
    from speech_translator.settings import Settings

MAX_TARGETS = 5
"""As many as a session takes."""


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """What is wanted. ``sound`` is the command of a recorder, a recording, or None for a pipe."""

    source: Language | None
    targets: Sequence[Language]
    sound: tuple[str, ...] | Recording | None
    service: OpenLine | None
    saved: SavedCaptions | None
    glossary: Mapping[str, str]


def listen(
    context: typer.Context,
    pipe: Annotated[
        str | None, typer.Argument(metavar="[-]", help="Hear standard input: WAV, or raw PCM.")
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from", "-f", "--source", metavar="LANGUAGE", help="Language spoken, or auto."
        ),
    ] = "auto",
    to: Annotated[
        list[str] | None,
        typer.Option("--to", "-t", metavar="LANGUAGE", help="Translate into this; up to 5 times."),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="Hear a recording, as if spoken.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Microphone, as arecord or parec names it.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", dir_okay=False, help="Keep captions in a .srt, .vtt or .txt file."),
    ] = None,
    glossary: Glossary = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Service that does the work; see LISTEN_URL.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Key for it; LISTEN_API_KEY shows it to nobody.")
    ] = None,
) -> None:
    """Show captions, and their translations, while somebody speaks.

    A microphone is heard, or what comes through a pipe: -, as raw 16 kHz mono 16-bit PCM or WAV.
    Ctrl-C ends it, once what was said is shown. The engines run here, unless there is a --url.
    """
    surroundings = surroundings_of(context)
    settings = surroundings.settings()
    targets = [target_language(code) for code in to or ()]
    if len(targets) > MAX_TARGETS or len(set(targets)) < len(targets):
        raise typer.BadParameter(f"--to takes up to {MAX_TARGETS} different languages")
    secret = settings.listen_api_key
    address = url or settings.listen_url
    wanted = ListenOptions(
        source_language(source),
        targets,
        _sound(pipe, file, device),
        service_line(address, key or (secret.get_secret_value() if secret else None))
        if address
        else None,
        SavedCaptions(save, targets) if save else None,
        glossary_terms(glossary, settings.max_glossary_terms),
    )
    run(_listen(surroundings, settings, wanted))


def _sound(
    pipe: str | None, file: str | None, device: str | None
) -> tuple[str, ...] | Recording | None:
    """What is heard; a microphone where nothing is named.

    Raises:
        typer.BadParameter: several are named, or what cannot be heard.
        InvalidAudio: the file cannot be read.
        ConfigurationError: nothing that records a microphone is installed.
    """
    if sum(given is not None for given in (pipe, file, device)) > 1:
        raise typer.BadParameter("only one of -, --file and --device can be heard")
    if pipe is not None:
        if pipe != PIPE:
            raise typer.BadParameter("a recording is named by --file; - hears standard input")
        return None
    if file is None:
        return recorder(device)
    if file == PIPE or Path(file).is_dir():
        raise typer.BadParameter("--file takes one recording")
    found = find_recordings([file])[0]
    if isinstance(found, Unusable):
        raise found.error
    return found


async def _listen(surroundings: Surroundings, settings: Settings, wanted: ListenOptions) -> None:
    """Hear everything, and show it."""
    async with AsyncExitStack() as stack:
        services = await _services(stack, surroundings, settings, wanted)
        line = wanted.service
        if line is None:
            if services is None:
                raise RuntimeError("there are neither engines nor a service")
            line = engine_line(services, settings)
        sound = await _opened(surroundings, settings, wanted, services)
        await stack.enter_async_context(aclosing(sound))
        shown = stack.enter_context(captions())
        talk = _Talk(shown, wanted.saved)
        start: dict[str, Any] = {
            "source_language": wanted.source.tag if wanted.source else "auto",
            "target_languages": [target.tag for target in wanted.targets],
            "partials": shown.partials,
        }
        if wanted.glossary:  # older services know no such field
            start["glossary"] = dict(wanted.glossary)
        client = LiveClient(line, start, talk.hear)
        async with _ending_at_a_signal(client):
            await client.run(sound)


async def _services(
    stack: AsyncExitStack, surroundings: Surroundings, settings: Settings, wanted: ListenOptions
) -> Services | None:
    """Engines for a session of our own, and a decoder for a recording; None needs neither."""
    decode = isinstance(wanted.sound, Recording)
    tasks: list[Task] = []
    if wanted.service is None:
        tasks = ["recognition", "voice_activity"]
        tasks += ["translation"] if wanted.targets else []
    if not tasks and not decode:
        return None
    opened = ready_services(surroundings, settings, tasks, decode=decode)
    return await stack.enter_async_context(opened)


async def _opened(
    surroundings: Surroundings,
    settings: Settings,
    wanted: ListenOptions,
    services: Services | None,
) -> AsyncGenerator[bytes]:
    """What is to be heard, as a generator of 16 kHz PCM."""
    if wanted.sound is None:
        return from_pipe(surroundings.standard_input())
    if not isinstance(wanted.sound, Recording):
        return from_microphone(wanted.sound)
    if services is None:
        raise RuntimeError("there is no decoder")
    async with open_recording(wanted.sound, surroundings.standard_input, settings) as file:
        audio = await services.decoders.decode(
            file, max_seconds=settings.max_audio_s, deadline=request_context().deadline
        )
    return from_samples(audio.samples)


@asynccontextmanager
async def _ending_at_a_signal(client: LiveClient) -> AsyncIterator[None]:
    """The first Ctrl-C ends the talk, and what was said is still shown; the second ends all."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        client.stop()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class _Talk:
    """Shows what is said, and keeps it.

    Args:
        shown: where captions appear.
        saved: where they are kept; None for nowhere.
    """

    def __init__(self, shown: Captions, saved: SavedCaptions | None) -> None:
        self._shown = shown
        self._saved = saved
        self._told: set[str] = set()

    async def hear(self, event: Event) -> None:
        """Take one event of the session."""
        match event["type"]:
            case "partial":
                self._shown.partial(event)
            case "final":
                self._shown.final(event)
                if self._saved is not None:
                    await self._saved.add(event)
            case "reconnecting":
                self._shown.note("The connection was lost; looking for the service.")
            case "error":
                self._shown.note(f"A part could not be recognised: {event['message']}")
            case "warning" if event["code"] not in self._told:
                self._told.add(event["code"])  # once is enough for a person
                self._shown.note(event["message"])
