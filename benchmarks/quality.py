"""How good translation and speech are: chrF2 and BLEU by route, word error rates by language.

Translation: every sentence of ``parallel_text.tsv`` (written for this benchmark) in every direction
and by every route that the planner offers among its languages, through the service's own plan,
scored by sacrebleu against the one parallel sentence. One reference says little of a route by
itself; what counts is the change between two versions. Speech: a dozen of the sentences by up to
two Kokoro voices a language, read back by the embedded Whisper. Sentences with digits are left out
of that part, since how they are read aloud is the voice's choice; number words and the digits that
recognition may write for them count as the same.

The exit status is 1 when a figure is more than a point worse than in the committed results, or when
a route or a language of theirs is missing here; then the file of results stays as it was.
``--accept`` keeps worse figures, ``--allow-missing`` passes over what is not installed here (and
also leaves the file alone). Everything is greedy or seeded, so two runs give the same.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from typing import Any

import jiwer
import onnxruntime
import sacrebleu
import soxr

from benchmarks import report, translation
from speech_translator.engines import kokoro, whisper
from speech_translator.engines.routing import names
from speech_translator.engines.values import SAMPLE_RATE, SynthesizeCall, TranscribeCall
from speech_translator.settings import Settings
from tests.support.speech_engines import engine_options

TOLERANCE = 1.0
"""Points of chrF, BLEU or word error rate that a figure may get worse by."""

SPOKEN = 12
VOICES = 2
_WORDS_SPOKEN = range(5, 13)
_SEED = 20_000
# Words of numbers, from one on, as far as the spoken sentences need them.
_NUMBERS = {
    "en": "one two three four five six seven eight nine ten eleven twelve",
    "pt": "um dois três quatro cinco seis sete oito nove dez onze doze",
    "es": "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "fr": "un deux trois quatre cinq six sept huit neuf dix onze douze",
}


def translations() -> dict[str, dict[str, float]]:
    """Scores by direction and route."""
    texts = translation.parallel()
    found = {}
    with translation.installed() as engines:
        for source, target in itertools.permutations(texts, 2):
            for route in engines.planner.routes(source, target):
                answers = [engines.text(route, text) for text in texts[source]]
                key = f"{source}-{target} by {', '.join(names(route))}"
                found[key] = {
                    "chrf2": round(sacrebleu.corpus_chrf(answers, [texts[target]]).score, 2),
                    "bleu": round(sacrebleu.corpus_bleu(answers, [texts[target]]).score, 2),
                }
                print(key, found[key], flush=True)
    return found


def spoken_sentences() -> dict[str, list[str]]:
    """The same ``SPOKEN`` sentences in each language, evenly picked from those of middle length."""
    texts = translation.parallel()
    fit = [
        row
        for row in zip(*texts.values(), strict=True)
        if not any(char.isdigit() for text in row for char in text)
        and len(row[0].split()) in _WORDS_SPOKEN
    ]
    picked = [fit[n * len(fit) // SPOKEN] for n in range(SPOKEN)]
    return {language: [row[n] for row in picked] for n, language in enumerate(texts)}


def words(text: str, language: str) -> str:
    """Words as they are compared: lower case, no marks, number words as digits."""
    digits = {word: str(n) for n, word in enumerate(_NUMBERS[language].split(), 1)}
    return " ".join(digits.get(word, word) for word in re.findall(r"[^\W_]+", text.lower()))


def speech() -> dict[str, dict[str, Any]]:
    """Word error rates by language, over all its voices."""
    onnxruntime.set_seed(_SEED)  # the vocoder draws noise
    speaker = kokoro.load(engine_options("kokoro"))
    listener = whisper.load(
        {
            "models_dir": str(Settings().models_dir),
            "threads": Settings().engine_threads,
        }
    )
    found = {}
    for language, sentences in spoken_sentences().items():
        voices = [voice for voice in speaker.describe().voices if voice.language == language]
        chosen = list({voice.gender: voice for voice in reversed(voices)}.values())[:VOICES]
        expected, heard = [], []
        for voice, text in itertools.product(sorted(chosen, key=lambda v: v.id), sentences):
            (said,) = speaker.synthesize([SynthesizeCall(text, language, voice.id)])
            samples = soxr.resample(said.samples, said.sample_rate, SAMPLE_RATE)
            (answer,) = listener.transcribe([TranscribeCall(samples, language)])
            expected.append(words(text, language))
            heard.append(words(answer.text, language))
        found[language] = {
            "word_error_rate_percent": round(100 * float(jiwer.wer(expected, heard)), 2),
            "voices": sorted(voice.id for voice in chosen),
            "utterances": len(expected),
        }
        print(language, found[language], flush=True)
    return found


def compared(kept: dict[str, Any], now: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What is worse by more than ``TOLERANCE``, and what is not there any more."""
    worse, missing = [], []
    for part, better in (("translation", 1), ("speech", -1)):
        for key, before in kept.get(part, {}).items():
            after = now[part].get(key)
            if after is None:
                missing.append(key)
                continue
            worse += [
                f"{key}: {name} was {figure}, is {after[name]}"
                for name, figure in before.items()
                if isinstance(figure, float) and better * (figure - after[name]) > TOLERANCE
            ]
    return worse, missing


def main() -> int:
    """Measure, compare, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="keep worse or missing figures")
    parser.add_argument("--allow-missing", action="store_true", help="pass over what is not here")
    options = parser.parse_args()
    path = report.RESULTS / "quality.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    now = {
        "sentences": len(translation.parallel()["en"]),
        "translation": translations(),
        "speech": speech(),
    }
    worse, missing = compared(kept, now)
    for line in (*worse, *(f"{key}: not here" for key in missing)):
        print(line, file=sys.stderr)
    if options.accept or not (worse or missing):
        report.write("quality", now)
        return 0
    return 1 if worse or not options.allow_missing else 0


if __name__ == "__main__":
    sys.exit(main())
