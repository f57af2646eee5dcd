"""Recognition of recordings against faster-whisper, with the same weights, threads and audio.

Ours is the path of a file in one process: voice activity, clips cut at pauses, batches as large as
the engine asks for. The others are ``WhisperModel.transcribe`` and ``BatchedInferencePipeline``
with their defaults. The three take turns within each round, and a ratio is the median over the
rounds, so that a busy machine slows all of them alike. The recordings are Debian's
``pocketsphinx-testdata``; longer audio is joined from them.

Bars: word error rate at most one point above faster-whisper's default; for audio over 40 s at most
the time of its batched pipeline; for utterances of 2 to 8 s at most half the time of its default.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from benchmarks import report
from benchmarks.service import ROOT
from speech_translator.engines import silero, whisper
from speech_translator.engines.registry import engine_specs
from speech_translator.engines.silero import SileroDetector
from speech_translator.engines.values import SAMPLE_RATE, DetectSpeechCall, TranscribeCall
from speech_translator.engines.whisper import WhisperTranscriber
from speech_translator.media.speech_regions import plan_clips
from speech_translator.settings import Settings
from tests.support.recordings import Recording, cards, joined, librivox, word_error_rate

OURS, DEFAULT, BATCHED = "ours", "faster_whisper_default", "faster_whisper_batched"
_DETECTION_CLIPS = 4
_SEARCH_STEP = 60 * SAMPLE_RATE // 512 * 512

Reader = Callable[[np.ndarray, str | None], str]


@dataclass(slots=True)
class Measured:
    """What one reader did with one set of recordings."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class FilePath:
    """Our way through a recording, in process: silero, ``plan_clips``, batches."""

    def __init__(self, models_dir: str, threads: int) -> None:
        self.engine: WhisperTranscriber = whisper.load(
            {"models_dir": models_dir, "threads": threads}
        )
        self.detector: SileroDetector = silero.load({})
        self.longest_call_s = 0.0

    def __call__(self, audio: np.ndarray, language: str | None) -> str:
        """The text of a recording."""
        calls = self._calls(audio)
        if language is not None or not calls:
            return self._read(calls, language)
        # As the service does: the first clips vote on the language, the rest is read in it.
        head = self._transcribe(calls[:_DETECTION_CLIPS])
        spoken = statistics.mode(transcript.language for transcript in head)
        first = " ".join(transcript.text for transcript in head)
        return f"{first} {self._read(calls[_DETECTION_CLIPS:], spoken)}"

    def _read(self, calls: list[TranscribeCall], language: str | None) -> str:
        size = self.engine.describe().preferred_batch
        told = [msgspec.structs.replace(call, language=language) for call in calls]
        batches = [told[start : start + size] for start in range(0, len(told), size)]
        return " ".join(t.text for batch in batches for t in self._transcribe(batch))

    def _transcribe(self, calls: list[TranscribeCall]) -> list[Any]:
        begun = time.perf_counter()
        transcripts = self.engine.transcribe(calls)
        self.longest_call_s = max(self.longest_call_s, time.perf_counter() - begun)
        return transcripts

    def _calls(self, audio: np.ndarray) -> list[TranscribeCall]:
        state, found = None, []
        for start in range(0, len(audio), _SEARCH_STEP):
            piece = audio[start : start + _SEARCH_STEP]
            piece = np.pad(piece, (0, -len(piece) % 512))
            (answer,) = self.detector.detect_speech([DetectSpeechCall(piece, state)])
            state = answer.state
            found.append(answer.probabilities)
        clips = plan_clips(np.concatenate(found), len(audio) / SAMPLE_RATE)
        edges = [(int(c.start * SAMPLE_RATE), int(c.end * SAMPLE_RATE)) for c in clips]
        return [TranscribeCall(np.ascontiguousarray(audio[a:b])) for a, b in edges]


def readers(models_dir: str, threads: int) -> tuple[dict[str, Reader], FilePath]:
    """The three, over the same files of weights."""
    ours = FilePath(models_dir, threads)
    directory = str(whisper.base_directory(Settings().models_dir))
    model = WhisperModel(directory, device="cpu", compute_type="int8", cpu_threads=threads)
    batched = BatchedInferencePipeline(model)

    def read(pipeline: Any) -> Reader:
        def with_defaults(audio: np.ndarray, language: str | None) -> str:
            segments, _ = pipeline.transcribe(audio, language=language)
            return " ".join(segment.text for segment in segments)

        return with_defaults

    return {OURS: ours, DEFAULT: read(model), BATCHED: read(batched)}, ours


def recordings() -> dict[str, list[Recording]]:
    """Sets of audio by what they stand for."""
    sentences, commands = librivox(), cards()
    utterances = [r for r in [*sentences, *commands] if 2 <= r.seconds <= 8]
    shuffled = [sentences[index] for index in (3, 1, 4, 0, 2)]
    long = [
        joined(sentences * 2, 0.6),
        joined((sentences + shuffled) * 2, 0.25),
        joined([*sentences, *commands, *shuffled], 1.0),
    ]
    return {"utterances_2_to_8_s": utterances, "commands": commands, "over_40_s": long}


def measure(
    sets: dict[str, list[Recording]],
    by: dict[str, Reader],
    rounds: int,
    languages: tuple[str | None, ...],
) -> dict[tuple[str, str | None, str], Measured]:
    """Wall and CPU seconds of every round, and the texts of the last one."""
    found: dict[tuple[str, str | None, str], Measured] = {}
    for turn in range(rounds + 1):
        for name, audio in sets.items():
            for language in languages:
                # Who goes first changes from round to round.
                order = list(by)[turn % len(by) :] + list(by)[: turn % len(by)]
                for reader in order:
                    cell = found.setdefault((name, language, reader), Measured())
                    wall, cpu = time.perf_counter(), time.process_time()
                    cell.texts = [by[reader](recording.samples, language) for recording in audio]
                    if turn:  # the first round warms up
                        cell.wall_s.append(time.perf_counter() - wall)
                        cell.cpu_s.append(time.process_time() - cpu)
        print(f"round {turn} of {rounds} done", file=sys.stderr)
    return found


def ratio(one: list[float], other: list[float]) -> float:
    """Median over the rounds of one to the other."""
    return round(statistics.median(a / b for a, b in zip(one, other, strict=True)), 3)


def summary(
    sets: dict[str, list[Recording]],
    found: dict[tuple[str, str | None, str], Measured],
    languages: tuple[str | None, ...],
) -> dict[str, Any]:
    """Ratios first, then what they are made of."""
    ratios: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for name, audio in sets.items():
        seconds = sum(recording.seconds for recording in audio)
        for language in languages:
            cells = {reader: found[name, language, reader] for reader in (OURS, DEFAULT, BATCHED)}
            label = f"{name}, language {language or 'detected'}"
            ours = cells[OURS]
            ratios[label] = {
                f"{kind}_time_to_{other.removeprefix('faster_whisper_')}": ratio(
                    getattr(ours, f"{kind}_s"), getattr(cells[other], f"{kind}_s")
                )
                for other in (DEFAULT, BATCHED)
                for kind in ("wall", "cpu")
            }
            details[label] = {
                "audio_s": round(seconds, 1),
                **{
                    reader: {
                        "word_error_rate_percent": round(
                            word_error_rate([r.text for r in audio], cell.texts), 2
                        ),
                        "real_time_factor": round(statistics.median(cell.wall_s) / seconds, 4),
                        "cpu_s_per_audio_s": round(statistics.median(cell.cpu_s) / seconds, 4),
                    }
                    for reader, cell in cells.items()
                },
            }
    return {"bars": bars(ratios, details), "ratios": ratios, "details": details}


def bars(ratios: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    """Whether each claim holds, with its worst figure."""
    above = {
        label: round(
            cells[OURS]["word_error_rate_percent"] - cells[DEFAULT]["word_error_rate_percent"], 2
        )
        for label, cells in details.items()
    }
    long = [r["wall_time_to_batched"] for label, r in ratios.items() if "over_40" in label]
    short = [r["wall_time_to_default"] for label, r in ratios.items() if "utterances" in label]
    return {
        "word_error_rate_points_above_default": {
            "worst": max(above.values()),
            "limit": 1.0,
            "holds": max(above.values()) <= 1.0,
        },
        "over_40_s_time_to_batched": {"worst": max(long), "limit": 1.0, "holds": max(long) <= 1},
        "utterances_time_to_default": {
            "worst": max(short),
            "limit": 0.5,
            "holds": max(short) <= 0.5,
        },
    }


def main() -> None:
    """Measure in a process that has the environment of the engine's own, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = Settings(engine_threads=arguments.threads)
    if not arguments.child:
        (spec,) = engine_specs(settings, tasks={"recognition"})
        environment = {**os.environ, **spec.environment}
        command = [sys.executable, "-m", "benchmarks.recognition", *sys.argv[1:], "--child"]
        sys.exit(subprocess.call(command, env=environment, cwd=ROOT))
    by, ours = readers(str(settings.models_dir), arguments.threads)
    sets, languages = recordings(), ("en", None)
    found = measure(sets, by, arguments.rounds, languages)
    figures = summary(sets, found, languages)
    figures["longest_call_of_ours_s"] = round(ours.longest_call_s, 2)
    figures["threads"], figures["rounds"] = arguments.threads, arguments.rounds
    report.write("recognition", figures)
    if not all(bar["holds"] for bar in figures["bars"].values()):
        sys.exit("A bar does not hold; see above.")


if __name__ == "__main__":
    main()
