"""Distinct everyday English sentences, made from a small grammar; the same seed, the same text."""

from __future__ import annotations

import random
from collections.abc import Iterator

_WHO = (
    "My sister", "The new teacher", "Our neighbour", "The old doctor", "A friend of mine",
    "The young driver", "His grandmother", "The manager", "Her brother", "The train conductor",
    "The woman at the desk", "My colleague from Lisbon", "The students", "Their daughter",
    "The cook", "An engineer", "The police officer", "Nobody in the office", "The captain",
    "The man with the red hat",
)  # fmt: skip
_DID = (
    "bought", "forgot", "found", "repaired", "painted", "sold", "lost", "sent", "cleaned",
    "borrowed", "carried", "opened", "described", "photographed", "wanted to see", "hid",
    "talked about", "asked for", "ordered", "dreamed of",
)  # fmt: skip
_WHAT = (
    "a blue bicycle", "two tickets for the theatre", "the keys of the house", "a letter",
    "the broken window", "three kilos of apples", "an expensive camera", "the small garden",
    "a map of the city", "the second chapter", "a cup of coffee", "the wrong umbrella",
    "an old piano", "the report for the meeting", "a warm coat", "the last piece of cake",
    "his telephone number", "a table near the door", "the picture on the wall", "a yellow boat",
)  # fmt: skip
_WHERE = (
    "at the station", "near the river", "in the kitchen", "behind the church", "at the market",
    "in a small village", "on the third floor", "under the bridge", "next to the hospital",
    "in front of the school", "at work", "in the north of the country", "on the beach",
    "at the airport", "in the library",
)  # fmt: skip
_WHEN = (
    "yesterday", "last summer", "before breakfast", "on Monday", "a week ago", "after the rain",
    "during the holidays", "in the evening", "two years ago", "while we were asleep",
    "this morning", "at half past seven", "on her birthday", "when the shop closed",
    "without telling anyone",
)  # fmt: skip

COUNT = len(_WHO) * len(_DID) * len(_WHAT) * len(_WHERE) * len(_WHEN)


def sentences(count: int, *, seed: int = 1) -> list[str]:
    """``count`` distinct sentences of 8 to 16 words; at most ``COUNT``."""
    numbers = random.Random(seed).sample(range(COUNT), count)
    return [_sentence(number) for number in numbers]


def stream(*, seed: int = 1) -> Iterator[str]:
    """Distinct sentences without end in sight."""
    yield from sentences(min(COUNT, 200_000), seed=seed)


def _sentence(number: int) -> str:
    parts = []
    for words in (_WHO, _DID, _WHAT, _WHERE, _WHEN):
        number, index = divmod(number, len(words))
        parts.append(words[index])
    return " ".join(parts) + "."
