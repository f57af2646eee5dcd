"""Tiny translation models in CTranslate2's form, one for each family, made in the test.

They copy. The decoder's only layer looks at the input one place further on and says what stands
there, so a translation is the text itself, provided that every special token of the family stands
where it has to: without the name of the source language NLLB's model loses the first word.
Weights are random vectors of a fixed seed, or nothing.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece
from ctranslate2.specs import TransformerSpec
from ctranslate2.specs.common_spec import LayerNormSpec

from speech_translator.engines.translation_families import Family

Matrix = npt.NDArray[np.float32]

LANGUAGES = ("en", "fr", "zh")

_TOKENS: dict[Family, tuple[str, ...]] = {
    "nllb": ("eng_Latn", "fra_Latn", "zho_Hans"),
    "m2m100": ("__en__", "__fr__", "__zh__"),
    "madlad400": ("<2en>", "<2fr>", "<2zh>"),
    "opus-mt": (),
}
_SENTENCES = (
    *(f"I have {number} books." for number in range(10)),
    "Hello world, this is a long sentence with words.",
    "WARNING: DO NOT OPEN!",
    "Where is the station? It is over there; take the second street.",
    "Long words. More words, and a few more.",
    "你好世界。",
)
_POSITIONS = 1024
_MOST_AHEAD = 2
_WIDTH = 64


def tiny_model(
    family: Family, directory: Path, *, tokens: Sequence[str] | None = None, times: int = 1
) -> Path:
    """Write a model of a family, whose languages are ``LANGUAGES``; its directory.

    Args:
        family: whose tokens and files it has.
        directory: where to write it; that of an Opus-MT model is named after its languages.
        tokens: those that name languages, instead of the family's.
        times: how often it says each token; with 0 the first one over and over again.
    """
    directory.mkdir(parents=True, exist_ok=True)
    names = tuple(_TOKENS[family] if tokens is None else tokens)
    sentences = _sentencepiece(names if family == "madlad400" else ())
    files = {
        "nllb": ("sentencepiece.bpe.model",),
        "m2m100": ("sentencepiece.bpe.model",),
        "madlad400": ("sentencepiece.model",),
        "opus-mt": ("source.spm", "target.spm"),
    }[family]
    for name in files:
        (directory / name).write_bytes(sentences)
    processor = sentencepiece.SentencePieceProcessor(model_proto=sentences)
    pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    vocabulary = [*dict.fromkeys([*pieces, *names])]
    spec = _copying(
        len(vocabulary),
        # What comes before the text; a forced prefix has the decoder one place on by itself.
        ahead={"madlad400": 2, "opus-mt": int(bool(names))}.get(family, 0),
        times=times,
    )
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.decoder_start_token = "<s>" if family == "madlad400" else "</s>"
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(directory))
    return directory


def tiny_entry(family: Family, root: Path) -> dict[str, str]:
    """A model of a family below ``root``, as one of the engine's option ``models``."""
    name = "opus-mt-en-fr" if family == "opus-mt" else family
    return {"id": name, "family": family, "directory": str(tiny_model(family, root / name))}


@functools.cache
def _sentencepiece(symbols: tuple[str, ...]) -> bytes:
    """A trained model of sentencepiece."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SENTENCES * 4),
        model_writer=written,
        model_type="bpe",
        vocab_size=160 + len(symbols),
        user_defined_symbols=list(symbols),
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def _copying(size: int, *, ahead: int, times: int) -> TransformerSpec:
    """A Transformer of one layer that copies, one token for one.

    Three thirds of each vector are the token that was read, its place, and what is to be said.
    """
    random = np.random.default_rng(7)
    width = 3 * _WIDTH
    token, place, answer = (slice(n * _WIDTH, (n + 1) * _WIDTH) for n in range(3))
    embeddings = np.zeros((size, width), np.float32)
    embeddings[:, token] = _directions(random, size)
    places = np.zeros((_POSITIONS + _MOST_AHEAD, width), np.float32)
    places[:, place] = _directions(random, _POSITIONS + _MOST_AHEAD)

    spec = TransformerSpec.from_config(1, 1)
    for stack in (spec.encoder, spec.decoder):
        stack.scale_embeddings = False
        _plain(stack.layer_norm, width)
        for layer in stack.layer:
            _plain(layer.self_attention.layer_norm, width)
            layer.self_attention.linear[0].weight = np.zeros((3 * width, width), np.float32)
            layer.self_attention.linear[1].weight = np.zeros((width, width), np.float32)
            _plain(layer.ffn.layer_norm, width)
            layer.ffn.linear_0.weight = np.zeros((width, width), np.float32)
            layer.ffn.linear_1.weight = np.zeros((width, width), np.float32)
    spec.encoder.embeddings[0].weight = embeddings
    spec.decoder.embeddings.weight = embeddings
    spec.encoder.position_encodings.encodings = places[:_POSITIONS]
    looked_at = np.arange(_POSITIONS) // times + ahead if times else np.full(_POSITIONS, 1)
    spec.decoder.position_encodings.encodings = places[looked_at]

    attention = spec.decoder.layer[0].attention
    _plain(attention.layer_norm, width)
    queries, keys, values, said = (np.zeros((width, width), np.float32) for _ in range(4))
    queries[place, place] = 8 * np.eye(_WIDTH)  # so sharp that one place is all that is seen
    keys[place, place] = np.eye(_WIDTH)
    values[answer, token] = np.eye(_WIDTH)
    said[answer, answer] = 20 * np.eye(_WIDTH)  # louder than the token that was read
    attention.linear[0].weight = queries
    attention.linear[1].weight = np.concatenate([keys, values])
    attention.linear[2].weight = said
    spec.decoder.projection.weight = np.roll(4 * embeddings, answer.start, axis=1)
    return spec


def _plain(norm: LayerNormSpec, width: int) -> None:
    norm.gamma = np.ones(width, np.float32)
    norm.beta = np.zeros(width, np.float32)


def _directions(random: np.random.Generator, count: int) -> Matrix:
    """Vectors of length 1, and of mean 0 so that a normalisation does not turn them."""
    vectors = random.standard_normal((count, _WIDTH)).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
