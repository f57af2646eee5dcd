"""StreamLAAL beside chrF2 of live translation, driven by partials and by whole sentences.

Partial-driven: what a reader sees who is shown the translations of confirmed clauses as they come;
the transcript's words count from when they are confirmed. Sentence-driven: finals alone, in a
session without partials. Both are times of a real clock, the work included (the
"computation-aware" StreamLAAL), from English into Portuguese.

The recordings of the other benchmarks have no reference in another language. So the longer
sentences of ``parallel_text.tsv`` are spoken by two voices of Kokoro, in two manners: "paused"
after each sentence, which ends an utterance, and "running", where two of three pauses are too
short for that, and most of what partials say is said long before the final.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import sacrebleu
import soxr

from benchmarks import report, service, translation
from benchmarks.live_audio import RATE, Sentence, Talk, composed, talk, trimmed
from benchmarks.live_latency import erasure
from benchmarks.live_session import Seen, run
from benchmarks.stream_laal import Reference, Word, emitted, segmented, stream_laal
from speech_translator.engines import kokoro
from speech_translator.engines.values import SynthesizeCall
from tests.support.recordings import word_error_rate
from tests.support.speech_engines import engine_options

VOICES = ("kokoro:af_heart", "kokoro:am_fenrir")
SHORTEST_WORDS = 8
"""Of the sentences that are spoken."""

MANNERS = {"paused": (1.2,), "running": (1.2, 0.3, 0.3)}
"""Seconds of silence before each sentence, over and over."""

SETTINGS = {"partial_driven": True, "sentence_driven": False}
"""Whether a session has partials."""

_SEED = 20_000


def pairs(count: int) -> list[tuple[str, str]]:
    """English and Portuguese, evenly picked; none with digits, which can be read out in two ways.

    Raises:
        ValueError: there are not so many.
    """
    texts = translation.parallel()
    fit = [
        (english, portuguese)
        for english, portuguese in zip(texts["en"], texts["pt"], strict=True)
        if len(english.split()) >= SHORTEST_WORDS and not any(char.isdigit() for char in english)
    ]
    if count > len(fit):
        raise ValueError(f"There are {len(fit)} sentences of {SHORTEST_WORDS} words or more.")
    return [fit[number * len(fit) // count] for number in range(count)]


def spoken(texts: list[str]) -> list[tuple[str, npt.NDArray[np.float32]]]:
    """The texts, and how the voices in turn read them out."""
    onnxruntime.set_seed(_SEED)  # the vocoder draws noise
    speaker = kokoro.load(engine_options("kokoro"))
    clips = []
    for text, voice in zip(texts, itertools.cycle(VOICES), strict=False):
        (said,) = speaker.synthesize([SynthesizeCall(text, "en", voice)])
        samples = soxr.resample(said.samples, said.sample_rate, RATE).astype("float32")
        clips.append((text, trimmed(samples)))
    return clips


def delivered(clips: list[tuple[str, npt.NDArray[np.float32]]], manner: str) -> Talk:
    """The sentences one after the other, in one of ``MANNERS``."""
    pauses = itertools.islice(itertools.cycle(MANNERS[manner]), len(clips))
    return composed(clips, list(pauses))


def shown(seen: Seen, language: str | None) -> list[Word]:
    """The stream of a session's translation into ``language``, or of its transcript."""

    def states() -> Iterator[tuple[float, int, str]]:
        for at, event in seen.events:
            if event["type"] not in {"partial", "final"}:
                continue
            if language is not None:
                text = event["translations"].get(language, "")
            else:
                text = event["text"][: event.get("confirmed_chars")]
            yield at, event["segment_id"], text

    return emitted(states())


def judge(seen: Seen, references: list[str]) -> dict[str, Any]:
    """Quality, latency and steadiness of a session."""
    wanted = [
        Reference(text, sentence.start, sentence.end - sentence.start)
        for text, sentence in zip(references, seen.talk.sentences, strict=True)
    ]
    words = shown(seen, "pt")
    texts = [word.text for word in words]
    parts = [" ".join(texts[part]) for part in segmented(texts, references)]
    score = stream_laal(words, wanted)
    said = [_as_reference(sentence) for sentence in seen.talk.sentences]
    return {
        "stream_laal_s": round(score.seconds, 3),
        "chrf2": round(sacrebleu.corpus_chrf(parts, [references]).score, 2),
        "without_translation": score.empty,
        "erasure": round(erasure(seen, "pt"), 3),
        "transcript_stream_laal_s": round(stream_laal(shown(seen, None), said).seconds, 3),
        "word_error_rate_percent": round(word_error_rate([seen.talk.text], [seen.text]), 2),
        "finals": len(seen.told("final")),
    }


def _as_reference(sentence: Sentence) -> Reference:
    return Reference(sentence.text, sentence.start, sentence.end - sentence.start)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=24)
    options = parser.parse_args()
    chosen = pairs(options.sentences)
    clips = spoken([english for english, _ in chosen])
    references = [portuguese for _, portuguese in chosen]
    found: dict[str, dict[str, Any]] = {}
    with service.running({"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}) as running:
        start = {"source_language": "en", "target_languages": ["pt"]}
        asyncio.run(run(running, talk([0.5]), **start))  # a warm-up
        for manner, (setting, partials) in itertools.product(MANNERS, SETTINGS.items()):
            speech = delivered(clips, manner)
            seen = asyncio.run(run(running, speech, partials=partials, **start))
            found.setdefault(manner, {})[setting] = judge(seen, references)
            print(manner, setting, found[manner][setting], flush=True)
    for settings in found.values():
        partial, whole = (settings[setting]["stream_laal_s"] for setting in SETTINGS)
        settings["partial_to_sentence_ratio"] = round(partial / whole, 3)
    report.write(
        "live_stream_laal",
        {
            "languages": "en-pt",
            "speech": f"synthesised: {', '.join(VOICES)}",
            "sentences": len(chosen),
            **found,
        },
    )


if __name__ == "__main__":
    main()
