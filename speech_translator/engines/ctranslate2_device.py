"""Where CTranslate2 runs a model, and with which numbers; the same for text and for speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speech_translator.errors import ConfigurationError

_DEFAULT_COMPUTE_TYPES = {"cpu": ("int8", "float32"), "cuda": ("float16", "int8", "float32")}
"""In order of preference. On a CPU int8 is fastest and takes a quarter of the memory."""


def chosen_device(ctranslate2: Any, options: Mapping[str, object], setting: str) -> tuple[str, str]:
    """The device and the compute type to use.

    Args:
        ctranslate2: the library, which its caller imports when it is needed.
        options: ``device`` (``auto``, ``cpu``, ``cuda``) and ``compute_type`` (``default``: int8
            on CPU, float16 on CUDA).
        setting: what their settings begin with, such as ``WHISPER``.

    Raises:
        ConfigurationError: this machine has no such device, or not for this compute type.
    """
    device, wanted = str(options.get("device", "auto")), str(options.get("compute_type", "default"))
    gpus = ctranslate2.get_cuda_device_count()
    if device == "auto":
        device = "cuda" if gpus else "cpu"
    if device == "cuda" and not gpus:
        raise ConfigurationError(
            f"{setting}_DEVICE is cuda, and CTranslate2 finds no GPU here. Set it to auto or cpu."
        )
    supported = ctranslate2.get_supported_compute_types(device)
    if wanted == "default":
        wanted = next(kind for kind in _DEFAULT_COMPUTE_TYPES[device] if kind in supported)
    if wanted not in supported:
        raise ConfigurationError(
            f"{setting}_COMPUTE_TYPE cannot be {wanted!r} on this machine's {device}. Here it is "
            f"default or one of: {', '.join(sorted(supported))}."
        )
    return device, wanted
