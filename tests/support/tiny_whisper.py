"""A tiny Whisper in CTranslate2's form, of other proportions than base, made in the test.

Its weights are random: what it says is nonsense, and it says it through the same encoder, search
and alignment as large-v3 does. It has 128 mel bands, and the embedded model's tokenizer.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec

from speech_translator.engines.whisper import install
from speech_translator.settings import Settings

MELS = 128
_WIDTH = 64
_INNER = 128


def tiny_whisper(directory: Path) -> Path:
    """Write a model; its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    base = install(Settings().models_dir)
    shutil.copy(base / "tokenizer.json", directory)
    vocabulary = json.loads((base / "vocabulary.json").read_bytes())
    config = json.loads((base / "config.json").read_bytes())
    random = np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return (random.standard_normal(shape) / 8).astype(np.float32)

    def linear(spec: Any, out: int, into: int) -> None:
        spec.weight, spec.bias = weights(out, into), np.zeros(out, np.float32)

    def norm(spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def feed_forward(spec: Any) -> None:
        norm(spec.layer_norm)
        linear(spec.linear_0, _INNER, _WIDTH)
        linear(spec.linear_1, _WIDTH, _INNER)

    def attention(spec: Any, *outs: int) -> None:
        norm(spec.layer_norm)
        for part, out in zip(spec.linear, outs, strict=True):
            linear(part, out, _WIDTH)

    spec = WhisperSpec(1, 1, 1, 1)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = weights(_WIDTH, MELS, 3), weights(_WIDTH)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = weights(_WIDTH, _WIDTH, 3), weights(_WIDTH)
    spec.encoder.position_encodings.encodings = weights(1500, _WIDTH)
    norm(spec.encoder.layer_norm)
    attention(spec.encoder.layer[0].self_attention, 3 * _WIDTH, _WIDTH)
    feed_forward(spec.encoder.layer[0].ffn)
    spec.decoder.embeddings.weight = weights(len(vocabulary), _WIDTH)
    spec.decoder.position_encodings.encodings = weights(448, _WIDTH)
    norm(spec.decoder.layer_norm)
    attention(spec.decoder.layer[0].self_attention, 3 * _WIDTH, _WIDTH)
    attention(spec.decoder.layer[0].attention, _WIDTH, 2 * _WIDTH, _WIDTH)
    feed_forward(spec.decoder.layer[0].ffn)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    for name in ("suppress_ids", "suppress_ids_begin", "lang_ids"):
        setattr(spec.config, name, config[name])
    spec.config.alignment_heads = [(0, 0)]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(directory))
    return directory
