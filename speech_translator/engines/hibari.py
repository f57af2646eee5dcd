"""Hibari: quick English speech from an 8 MB model (``hibari-tts``, Apache-2.0), voice in the wheel.

Distilled from Kokoro-82M's voice ``af_heart`` (https://github.com/MMWilliams/hibari); a hundred
times faster than real time on one core. The package downloads its other voices at first use; here
they are offered only where their files already lie in ``models_dir/hibari``, and nothing is ever
fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

from speech_translator.engines import speech_samples, speech_text
from speech_translator.engines.english_phonemes import EnglishPhonemes
from speech_translator.engines.values import (
    Audio,
    EngineInfo,
    Samples,
    SynthesizeCall,
    Voice,
)
from speech_translator.engines.voices import VoiceBook
from speech_translator.errors import ModelMissing

NAME = "hibari"
MAX_CHARS = 2_000
WINDOW_PHONEMES = (150, 250)
"""Longest piece spoken at once, at marks and at all. Memory grows with it."""

_DEFAULT = "heart"


def load(options: Mapping[str, object]) -> Hibari:
    """The engine, warm.

    Args:
        options: ``models_dir``, where further voices may lie (``hibari/<file>``).

    Raises:
        ModelMissing: the package is not installed.
    """
    if find_spec("hibari") is None:
        raise ModelMissing("Hibari is not installed. Run: pip install hibari-tts")
    engine = Hibari(Path(str(options["models_dir"])) / "hibari")
    engine.synthesize([SynthesizeCall("Ready.", "en")])
    return engine


class Hibari:
    """Synthesizer for English.

    Args:
        directory: where further voices may lie.
    """

    def __init__(self, directory: Path) -> None:
        from hibari.voices import VOICES  # noqa: PLC0415 - only inside an engine process

        self._files: dict[str, Path | None] = {}
        self._british: dict[str, bool] = {}
        voices = []
        for name, card in VOICES.items():
            path = directory / card["file"]
            if not card.get("bundled") and not path.is_file():
                continue
            voice = _voice(name, card)
            voices.append(voice)
            self._files[voice.id] = None if card.get("bundled") else path
            self._british[voice.id] = bool(card["british"])
        voices.sort(key=lambda voice: voice.id != f"{NAME}:{_DEFAULT}")
        self._book = VoiceBook(voices, max_chars=MAX_CHARS)
        self._models: dict[str, Any] = {}
        self._phonemes = EnglishPhonemes()

    def describe(self) -> EngineInfo:
        """One call at a time: at this speed, a second one would only wait for the same core."""
        return EngineInfo(
            name=NAME,
            task="synthesis",
            models=("hibari-heart",),
            languages=self._book.languages,
            voices=self._book.voices,
        )

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        """Speech at 24 kHz; see ``Synthesizer``."""
        return [self._speak(call) for call in calls]

    def _speak(self, call: SynthesizeCall) -> Audio:
        voice = self._book.pick(call)
        phonemes = self._phonemes.of(call.text, british=self._british[voice.id])
        model = self._model(voice.id)
        rate = int(model.sample_rate)
        pieces: list[Samples] = []
        for window in speech_text.windows(phonemes, *WINDOW_PHONEMES):
            spoken = cast("Samples", model.from_phonemes(window, call.speed))
            pause = speech_text.pause_after(window) / call.speed
            pieces += [speech_samples.trimmed(spoken, rate), speech_samples.silence(pause, rate)]
        return speech_samples.audio(pieces[:-1], rate)

    def _model(self, voice: str) -> Any:
        """The model of a voice: each is one of its own, 8 MB."""
        model = self._models.get(voice)
        if model is None:
            from hibari import Hibari as Model  # noqa: PLC0415 - heavy

            path = self._files[voice]
            # With a path of our own the package has no reason to look for, or to fetch, a file.
            model = Model(model=str(path) if path else None, threads=1)
            self._models[voice] = model
        return model


def _voice(name: str, card: Mapping[str, Any]) -> Voice:
    gender = str(card["gender"]).lower()
    return Voice(
        id=f"{NAME}:{name}",
        name=name.capitalize(),
        language="en",
        gender=cast("Literal['female', 'male', 'unknown']", gender),
        region=str(card["language"]).partition("-")[2] or None,
    )
