"""``speech-translator transcribe``: recordings to text, to translated text, to speech."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speech_translator.cli.exit_codes import exit_code_of, exit_code_of_run
from speech_translator.cli.options import (
    From,
    Glossary,
    VoiceOption,
    glossary_terms,
    source_language,
    target_language,
)
from speech_translator.cli.outputs import (
    TranscriptWriter,
    audio_format,
    transcript_formats,
    write_speech,
)
from speech_translator.cli.recordings import Recording, Unusable, find_recordings, stems
from speech_translator.cli.sources import open_recording
from speech_translator.cli.surroundings import (
    Surroundings,
    ready_services,
    request_context,
    run,
    surroundings_of,
)
from speech_translator.cli.terminal import (
    PIPE,
    complain,
    output_is_terminal,
    printable,
    progress_bars,
    tell,
)
from speech_translator.errors import EmptyAudio, SpeechTranslatorError
from speech_translator.languages import Language

if TYPE_CHECKING:
    from rich.progress import Progress

    from speech_translator.engines.values import Task
    from speech_translator.scalability.results import Transcription
    from speech_translator.services import Services
    from speech_translator.settings import Settings


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What is wanted of every recording."""

    source: Language | None
    target: Language | None
    words: bool
    glossary: Mapping[str, str]
    voice: str | None


def transcribe(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Recordings, folders, or - for a pipe.")
    ],
    source: From = "auto",
    to: Annotated[
        str | None, typer.Option("--to", "-t", metavar="LANGUAGE", help="Translate into this.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="txt, srt, vtt, json, docx, with commas between them.")
    ] = "txt",
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", file_okay=False, help="Where files go.")
    ] = None,
    speak: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Speak the text into this file, folder, or - (WAV)."),
    ] = None,
    voice: VoiceOption = None,
    words: Annotated[bool, typer.Option("--words", help="Times of each word, in json.")] = False,
    glossary: Glossary = None,
) -> None:
    """Transcribe recordings, and translate and speak them when asked to.

    One recording in one format goes to standard output. Otherwise files are written beside each
    recording, or below --output-dir. Folders are searched for audio by its content. A recording
    that fails does not stop the others.
    """
    surroundings = surroundings_of(context)
    settings = surroundings.settings()
    wanted = TranscribeOptions(
        source_language(source),
        target_language(to) if to else None,
        words,
        glossary_terms(glossary, settings.max_glossary_terms),
        voice,
    )
    plan = _plan(paths, transcript_formats(formats), output_dir, speak, wanted.target)

    async def work() -> int:
        tasks: list[Task] = ["recognition", "voice_activity"]
        tasks += ["translation"] if wanted.target else []
        tasks += ["synthesis"] if speak else []
        async with ready_services(surroundings, settings, tasks, decode=True) as services:
            with progress_bars() as bars:
                return await TranscribeRun(services, surroundings, settings, wanted, plan).run(bars)

    if not plan.recordings:
        for unusable in plan.unusable:
            complain(unusable.error, unusable.name)
        raise typer.Exit(exit_code_of(plan.unusable[0].error))
    raise typer.Exit(run(work()))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read and where each result goes; fixed before any work.

    ``speech`` is where the spoken text of each recording goes.
    """

    recordings: Sequence[Recording]
    unusable: Sequence[Unusable]
    writer: TranscriptWriter | None
    speech: Mapping[Recording, str]


def _plan(
    paths: Sequence[str],
    formats: Sequence[str],
    output_dir: Path | None,
    speak: str | None,
    target: Language | None,
) -> Plan:
    """Decide where results go.

    Raises:
        typer.BadParameter: the options do not fit each other.
        UnsupportedFormat: the suffix of ``speak`` is none that is offered.
    """
    if list(paths).count(PIPE) > 1:
        raise typer.BadParameter("standard input (-) can be read once")
    single = len(paths) == 1 and not Path(paths[0]).is_dir()
    found = find_recordings(paths)
    recordings = [entry for entry in found if isinstance(entry, Recording)]
    unusable = [entry for entry in found if isinstance(entry, Unusable)]
    language = target.tag if target else None
    speech: Mapping[Recording, str] = {}
    if speak:
        speech = _speech_places(recordings, speak, single=single, language=language)
    if output_dir:
        relative = stems(recordings, beside=False)
        places = {recording: output_dir / stem for recording, stem in relative.items()}
        return Plan(recordings, unusable, TranscriptWriter(formats, places, language), speech)
    if single and len(formats) == 1:
        if "docx" in formats and output_is_terminal():
            raise typer.BadParameter("a document goes to --output-dir, or through a pipe")
        # Sound through the pipe leaves no room for text there.
        writer = TranscriptWriter(formats, None, language) if speak != PIPE else None
        return Plan(recordings, unusable, writer, speech)
    if PIPE in paths:
        raise typer.BadParameter("results of - need --output-dir")
    places = stems(recordings, beside=True)
    return Plan(recordings, unusable, TranscriptWriter(formats, places, language), speech)


def _speech_places(
    recordings: Sequence[Recording], speak: str, *, single: bool, language: str | None
) -> dict[Recording, str]:
    """Where spoken texts go: one file for one recording, a folder for several."""
    folder = Path(speak).is_dir() or speak.endswith("/")
    if single and not folder:
        audio_format(speak)
        same = [r for r in recordings if r.path and Path(speak).exists() and r.path.samefile(speak)]
        if same:
            raise typer.BadParameter("--speak would overwrite the recording")
        return dict.fromkeys(recordings, speak)
    if not folder:
        raise typer.BadParameter("for several recordings, --speak takes a folder: --speak speech/")
    suffix = f".{language}.wav" if language else ".wav"
    relative = stems(recordings, beside=False)
    return {
        recording: str(Path(speak, stem.with_name(f"{stem.name}{suffix}")))
        for recording, stem in relative.items()
    }


@dataclass(slots=True)
class TranscribeRun:
    """Works on recordings one after the other; the engines spread each over the cores."""

    services: Services
    surroundings: Surroundings
    settings: Settings
    options: TranscribeOptions
    plan: Plan
    _failures: list[SpeechTranslatorError] = field(default_factory=list)

    async def run(self, bars: Progress) -> int:
        """Everything; the exit code."""
        for unusable in self.plan.unusable:
            self._fail(unusable.error, unusable.name)
        # The size of a file stands for its length, which nobody knows before it is decoded.
        sizes = [max(1, recording.size) for recording in self.plan.recordings]
        bar = bars.add_task("", total=sum(sizes))
        done = 0
        for number, (recording, size) in enumerate(
            zip(self.plan.recordings, sizes, strict=True), 1
        ):
            name = printable(Path(recording.name).name)
            bars.update(bar, description=f"{number}/{len(self.plan.recordings)} {name}")

            def progress(seconds: float, of: float, done: int = done, size: int = size) -> None:
                bars.update(bar, completed=done + size * seconds / of if of else done)

            try:
                found = await self._recognise(recording, progress)
                if len(self.plan.recordings) == 1:
                    bars.stop()  # results on the same terminal would be wiped out with the bar
                await self._deliver(recording, found)
            except SpeechTranslatorError as error:
                self._fail(error, recording.name)
            done += size
            bars.update(bar, completed=done)
        return self._summary()

    def _fail(self, error: SpeechTranslatorError, name: str) -> None:
        self._failures.append(error)
        complain(error, name)

    def _summary(self) -> int:
        inputs = len(self.plan.recordings) + len(self.plan.unusable)
        if inputs > 1:
            failed = len(self._failures)
            tell(f"{inputs - failed} of {inputs} recordings done, {failed} failed.")
        return exit_code_of_run(inputs, self._failures)

    async def _recognise(
        self, recording: Recording, progress: Callable[[float, float], None]
    ) -> Transcription:
        """One recording, decoded, recognised and translated."""
        context = request_context()
        async with open_recording(
            recording, self.surroundings.standard_input, self.settings
        ) as source:
            audio = await self.services.decoders.decode(
                source, max_seconds=self.settings.max_audio_s, deadline=context.deadline
            )
        if audio.truncated:
            tell(f"{printable(recording.name)}: warning: a part of it could not be decoded")
        return await self.services.translator.transcribe(
            audio.samples,
            language=self.options.source,
            target=self.options.target,
            word_timestamps=self.options.words,
            glossary=self.options.glossary,
            context=context,
            progress=progress,
        )

    async def _deliver(self, recording: Recording, found: Transcription) -> None:
        """Write what was asked for."""
        if self.plan.writer:
            await asyncio.to_thread(self.plan.writer.write, recording, found)
        if recording in self.plan.speech:
            await self._speak(found, self.plan.speech[recording])

    async def _speak(self, found: Transcription, target: str) -> None:
        """Speak the translation, or what was said where there is none."""
        text = found.translation.text if found.translation else found.text
        language = self.options.target or found.language
        if language is None or not text.strip():
            raise EmptyAudio("No speech was found in the recording.")
        if self.plan.writer is None:
            tell(text)
        speech = await self.services.translator.synthesize(
            text, language=language, voice=self.options.voice, context=request_context()
        )
        await asyncio.to_thread(write_speech, target, speech.samples, speech.sample_rate)
