"""How late the words of captions come, whoever makes them. Pure.

A sentence is committed once its last word has come that will not change any more, and shown once
its last word has come at all. Which words belong to which sentence is found by aligning what was
committed in the end with what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.live_audio import Talk
from benchmarks.live_session import Seen
from benchmarks.stream_laal import segmented
from tests.support.recordings import plain


@dataclass(frozen=True, slots=True)
class Caption:
    """All captions of a session at one moment, a second of its audio's time.

    ``shown`` holds ``committed`` and what may still change.
    """

    at: float
    committed: str
    shown: str


@dataclass(slots=True)
class Followed:
    """A session as its client saw it.

    ``ended_at`` is when the server was done, or the client gave up (``finished`` false).
    """

    talk: Talk
    captions: list[Caption] = field(default_factory=list)
    ended_at: float = 0.0
    finished: bool = False

    @property
    def text(self) -> str:
        """All that was committed."""
        return self.captions[-1].committed if self.captions else ""

    @property
    def finish_s(self) -> float:
        """Seconds from the end of the last sentence until the server was done."""
        return self.ended_at - self.talk.sentences[-1].end

    def committed_lags(self) -> list[float]:
        """Seconds from the end of each sentence until it was committed.

        Where that never came it is the time for which the client waited: a lower bound.
        """
        return self._lags([caption.committed for caption in self.captions])

    def shown_lags(self) -> list[float]:
        """The same until it was shown."""
        return self._lags([caption.shown for caption in self.captions])

    def _lags(self, texts: Sequence[str]) -> list[float]:
        counts = [len(plain(text).split()) for text in texts]
        words, sentences = plain(self.text).split(), self.talk.sentences
        parts = segmented(words, [plain(one.text) for one in sentences])
        never = len(words) + 1
        return [
            self._since(counts, part.stop if words[part] else never) - sentence.end
            for sentence, part in zip(sentences, parts, strict=True)
        ]

    def _since(self, counts: Sequence[int], needed: int) -> float:
        """The first moment from which on there are so many words."""
        missing = [number for number, count in enumerate(counts) if count < needed]
        first = missing[-1] + 1 if missing else 0
        return self.captions[first].at if first < len(counts) else self.ended_at


def followed(seen: Seen) -> Followed:
    """A session of ours: finals are committed, partials shown."""
    found = Followed(seen.talk)
    finals: dict[int, str] = {}
    partials: dict[int, str] = {}
    for at, event in seen.events:
        found.ended_at = at
        found.finished = event["type"] == "done"
        if event["type"] not in {"partial", "final"}:
            continue
        kind = finals if event["type"] == "final" else partials
        kind[event["segment_id"]] = event["text"]
        shown = partials | finals
        found.captions.append(
            Caption(
                at,
                " ".join(finals[number] for number in sorted(finals)),
                " ".join(shown[number] for number in sorted(shown)),
            )
        )
    return found
