"""A live session of ten minutes as life has them: two languages, silences, music, lost connections.

Every sentence has to be final once, in the language that it was spoken in, with a translation, and
nothing may be said over what is no speech. The word error rate stands beside that of the same model
on each sentence by itself, with its language given.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import jiwer

from benchmarks import live_scenes, report
from benchmarks.live_audio import Talk
from benchmarks.live_scenes import Clip, Scene
from speech_translator import media
from tests.support.recordings import plain, word_error_rate
from tests.support.resuming_client import ResumingClient
from tests.support.server import Server, start_server

START = {"source_language": "auto", "target_languages": ["pt", "en"], "partials": True}
SETTINGS = {"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}
MARGIN_POINTS = 2.0
"""By which the word error rate may be above that of the model by itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a session; all but the first six should be 0."""

    seconds: int
    sentences: int
    finals: int
    connections: int
    word_error_rate_percent: float
    alone_percent: float
    words_inserted: int
    words_deleted: int
    sentences_lost: int
    told_twice: int
    overlapping: int
    over_noise: int
    in_a_wrong_language: int
    without_translation: int

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return (
            self.word_error_rate_percent <= self.alone_percent + MARGIN_POINTS
            and not self.sentences_lost
            and not self.told_twice
            and not self.overlapping
            and not self.over_noise
            and not self.in_a_wrong_language
            and not self.without_translation
        )


async def session(server: Server, talk: Talk, cuts_s: Sequence[float]) -> ResumingClient:
    """A session in real time, whose connection is cut, without a word, at these seconds."""
    client = ResumingClient(lambda: server.socket_url, server.headers, talk.pcm(), START)

    async def cut() -> None:
        began = asyncio.get_running_loop().time()
        for at in cuts_s:
            await asyncio.sleep(began + at - asyncio.get_running_loop().time())
            if client.socket is not None:
                client.socket.transport.abort()

    cutting = asyncio.create_task(cut())
    try:
        async with asyncio.timeout(1.5 * talk.seconds + 120):
            await client.run()
    finally:
        cutting.cancel()
    return client


def alone(server: Server, clips: Sequence[Clip]) -> dict[str, str]:
    """What the model makes of each sentence by itself, its language being known."""
    found = {}
    with server.client() as client:
        for clip in clips:
            file = media.encode(clip.samples, 16_000, audio_format="wav")
            answer = client.post(
                "/transcribe/audio",
                files={"file": ("a.wav", file)},
                data={"source_language": clip.language},
            )
            found[clip.text] = answer.raise_for_status().json()["text"]
    return found


def judge(scene: Scene, client: ResumingClient, heard_alone: dict[str, str]) -> Verdict:
    """Compare what was told with what was said."""
    finals, sentences = client.told("final"), scene.talk.sentences
    ids = [final["segment_id"] for final in finals]
    said = [sentence.text for sentence in sentences]
    told = " ".join(final["text"] for final in finals)
    words = jiwer.process_words(plain(" ".join(said)), plain(told))
    about = [_about(final, scene) for final in finals]
    return Verdict(
        seconds=round(scene.talk.seconds),
        sentences=len(sentences),
        finals=len(finals),
        connections=client.connections,
        word_error_rate_percent=round(100 * words.wer, 2),
        alone_percent=round(word_error_rate(said, [heard_alone[text] for text in said]), 2),
        words_inserted=words.insertions,
        words_deleted=words.deletions,
        sentences_lost=len(set(range(len(sentences))) - set(about)),
        told_twice=len(ids) - len(set(ids)),
        overlapping=sum(a["end"] > b["start"] for a, b in pairwise(finals)),
        over_noise=about.count(None),
        in_a_wrong_language=sum(
            number is not None and final["language"] != scene.languages[number]
            for final, number in zip(finals, about, strict=True)
        ),
        without_translation=sum(set(final["translations"]) != {"pt", "en"} for final in finals),
    )


def _about(final: dict[str, Any], scene: Scene) -> int | None:
    """The sentence that a final is about; None where none was said then."""
    shared = [
        min(final["end"], sentence.end) - max(final["start"], sentence.start)
        for sentence in scene.talk.sentences
    ]
    best = max(range(len(shared)), key=shared.__getitem__)
    return best if shared[best] > 0 else None


def doubtful(scene: Scene, client: ResumingClient) -> list[dict[str, Any]]:
    """Finals that are over no sentence, or in another language: what to look at."""
    found = []
    for final in client.told("final"):
        number = _about(final, scene)
        if number is None or final["language"] != scene.languages[number]:
            found.append({name: final[name] for name in ("start", "end", "language", "text")})
    return found


async def measured(
    server: Server, seconds: float, cuts: int
) -> tuple[Scene, ResumingClient, Verdict]:
    """A composed session over a running service."""
    clips = [*live_scenes.english(), *await live_scenes.portuguese()]
    scene = live_scenes.composed(seconds, clips)
    heard_alone = alone(server, clips)
    length = scene.talk.seconds
    cuts_s = [length * (number + 1) / (cuts + 1) for number in range(cuts)]
    client = await session(server, scene.talk, cuts_s)
    return scene, client, judge(scene, client, heard_alone)


def main() -> int:
    """Measure, keep, and say whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--cuts", type=int, default=12)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server({**SETTINGS, "DATA_DIR": folder}) as server,
    ):
        scene, client, verdict = asyncio.run(measured(server, 60 * options.minutes, options.cuts))
    figures = {**asdict(verdict), "doubtful": doubtful(scene, client), "holds": verdict.holds}
    report.write("live_composed", figures)
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
