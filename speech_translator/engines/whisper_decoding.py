"""What a decode of Whisper is worth, and which stretches of speech its tokens stand for. Pure.

The rules are those of OpenAI's reference (Radford et al. 2022, section 4.5): a text that compresses
too well is a loop, a low mean log probability is a failure, and both together with a high
probability of no speech are silence. To them come rules that short windows make necessary: more
tokens than anybody can say in that time, and one phrase many times in a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from speech_translator.engines.whisper_tokens import SECONDS_PER_TIMESTAMP

MAX_COMPRESSION = 2.4
"""Bytes of text to bytes of its zlib stream; above, the text repeats itself."""

MIN_LOGPROB = -1.0
"""Mean log probability of a token below which a decode has failed."""

SURE_LOGPROB = -0.5
"""Mean log probability below which greedy search is not the last word: clear speech has -0.35 and
more, and there a beam finds the same text."""

SURE_LANGUAGE = 0.3
"""Probability that a language other than the likely one must have."""

SURER = 8.0
"""And by how much it must be likelier: doubts of a moment do not change what is spoken."""

MAX_NO_SPEECH = 0.6
"""Probability of no speech above which a failed decode is silence."""

TOKENS_PER_S = 15
"""Most tokens a second in scripts that the vocabulary covers well: fast English has 6, fast
Vietnamese 12."""

DENSE_TOKENS_PER_S = 30
"""The same for scripts that are spelled out in bytes, such as Burmese or Khmer."""

MAX_NEW_TOKENS = 224
"""Half of the model's context: the most that one decode may give."""

_SPARE_TOKENS = 16
_TRUSTED_NO_SPEECH = 0.3
_TRUSTED_LOGPROB = -0.5
_MIN_REPEATS = 4
_LONGEST_PHRASE = 32
_LOOPED_SHARE = 0.5

# What Whisper writes over silence, music and noise, for it learned from subtitles. The first are
# things that people do say, so they need a reason to be doubted.
_SILENCE_PHRASES = frozenset(
    {
        *("you", "thank you", "thank you very much", "thank you so much", "bye", "bye bye", "so"),
        *("oh", "okay", "the end", "i'm sorry", "obrigado", "obrigada", "tchau", "e aí", "gracias"),
        *("amén", "merci", "vielen dank", "grazie", "ご視聴ありがとうございました", "music"),
    }
)
# Credits that nobody says into a microphone.
_CREDITS = (
    *("amara org", "thanks for watching", "thank you for watching", "please subscribe"),
    *("sous titrage st' 501", "untertitel im auftrag des zdf", "субтитры сделал", "mbc 뉴스"),
    *("продолжение следует", "시청해주셔서 감사합니다", "字幕by", "请不吝点赞", "ご視聴ありがとう"),
)


@dataclass(frozen=True, slots=True)
class Decode:
    """One decode: tokens with timestamps, their text, and how sure the model was."""

    tokens: tuple[int, ...]
    text: str
    logprob: float
    no_speech: float


NOTHING = Decode((), "", 0.0, 1.0)
"""What is said where nothing is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text tokens between two timestamps, in seconds from the start of the window."""

    start: float
    end: float
    tokens: tuple[int, ...]


def detected(found: Sequence[tuple[str, float]], likely: str | None) -> tuple[str, float]:
    """The language that a clip is in, and how probable it is.

    Args:
        found: languages with their probabilities, the most probable first.
        likely: what was spoken just before; None where nothing was.
    """
    language, probability = found[0]
    before = dict(found).get(likely, 0.0) if likely else 0.0
    if likely is None or language == likely:
        return language, probability
    if probability >= SURE_LANGUAGE and probability >= SURER * before:
        return language, probability
    return likely, before


def most_tokens(seconds: float, *, dense: bool) -> int:
    """More tokens than this nobody says in so many seconds."""
    rate = DENSE_TOKENS_PER_S if dense else TOKENS_PER_S
    return min(MAX_NEW_TOKENS, _SPARE_TOKENS + int(rate * seconds))


def compression(text: str) -> float:
    """How well the text compresses: ordinary speech stays below 2, loops go beyond 2.4."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def repeated_share(tokens: Sequence[int]) -> float:
    """The share of the tokens taken by one phrase said at least four times in a row.

    zlib needs some length before it notices; this sees "the the the the" at once.
    """
    count = len(tokens)
    longest = 0
    for size in range(1, min(_LONGEST_PHRASE, count // _MIN_REPEATS) + 1):
        run = 0
        for index in range(size, count):
            run = run + 1 if tokens[index] == tokens[index - size] else 0
            if run >= size * (_MIN_REPEATS - 1):
                longest = max(longest, run + size)
    return longest / count if count else 0.0


def without_loop(tokens: Sequence[int]) -> Sequence[int]:
    """The tokens up to the end of the first phrase that is then said three more times in a row."""
    count = len(tokens)
    cut = count
    for size in range(1, min(_LONGEST_PHRASE, count // _MIN_REPEATS) + 1):
        run = 0
        for index in range(size, count):
            run = run + 1 if tokens[index] == tokens[index - size] else 0
            if run >= size * (_MIN_REPEATS - 1):
                cut = min(cut, index + 1 - run)
                break
    return tokens[:cut]


def is_loop(decode: Decode, limit: int) -> bool:
    """Whether the text repeats itself, or is longer than ``limit`` tokens allow."""
    return len(decode.tokens) >= limit or compression(decode.text) > MAX_COMPRESSION


def is_unsure(decode: Decode) -> bool:
    """Whether a wider search of the same encoding may find a better text."""
    return decode.logprob < SURE_LOGPROB and not is_silence(decode)


def is_doubtful(decode: Decode, limit: int, words: Sequence[int]) -> bool:
    """Whether to decode once more at the full window before this is believed.

    Args:
        decode: the decode of the short window.
        limit: ``most_tokens`` of its duration.
        words: its text tokens, without timestamps.
    """
    if is_silence(decode):
        return False
    return (
        is_loop(decode, limit)
        or decode.logprob < MIN_LOGPROB
        or repeated_share(words) > _LOOPED_SHARE
    )


def is_failure(decode: Decode, limit: int) -> bool:
    """Whether the decode of a full window is to be tried again at a higher temperature."""
    return not is_silence(decode) and (is_loop(decode, limit) or decode.logprob < MIN_LOGPROB)


def is_silence(decode: Decode) -> bool:
    """Whether nothing was said: no text, a failure over silence, or a phrase that is made up."""
    text = _bare(decode.text)
    if not text:
        return True
    # The model grows sure of a loop, so that its probability says nothing there.
    failed = decode.logprob < MIN_LOGPROB or compression(decode.text) > MAX_COMPRESSION
    if failed and decode.no_speech > MAX_NO_SPEECH:
        return True
    unheard = decode.no_speech > _TRUSTED_NO_SPEECH
    if text in _SILENCE_PHRASES:
        return unheard
    unsure = unheard or decode.logprob < _TRUSTED_LOGPROB
    return unsure and any(credit in text for credit in _CREDITS)


def best_of(decodes: Sequence[Decode], limit: int) -> Decode:
    """The likeliest decode that is no loop; the likeliest at all where all are."""
    return max(decodes, key=lambda decode: (not is_loop(decode, limit), decode.logprob))


def split(
    tokens: Sequence[int], timestamps: int, duration: float
) -> tuple[list[Piece], float | None]:
    """Pieces of a decode, and where to go on when it stopped before the end.

    Whisper closes what it finished with a pair of timestamps, and ends on a single one when
    nothing follows. Times are made monotone and kept inside ``duration``.

    Args:
        tokens: text and timestamp tokens.
        timestamps: the first timestamp token, which stands for 0.00 s.
        duration: of the clip, in seconds.

    Returns:
        The pieces in order, and the time of the closing pair or None.
    """
    pieces: list[Piece] = []
    start = 0.0
    text: list[int] = []
    for token in tokens:
        if token < timestamps:
            text.append(token)
            continue
        time = min(duration, max(start, (token - timestamps) * SECONDS_PER_TIMESTAMP))
        if text:
            pieces.append(Piece(start, time, tuple(text)))
            text = []
        start = time
    if text:
        pieces.append(Piece(start, duration, tuple(text)))
        return pieces, None
    paired = len(tokens) > 1 and min(tokens[-2:]) >= timestamps
    return pieces, start if paired and pieces else None


def _bare(text: str) -> str:
    """Lower case, with punctuation as spaces, so that phrases compare."""
    kept = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower())
    return " ".join(kept.split())
