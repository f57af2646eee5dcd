"""Voice activity detection by Silero VAD (MIT) on onnxruntime.

The ONNX file is the one that the ``faster-whisper`` package carries. It is found without importing
that package, which would load PyAV, CTranslate2 and a hub client for nothing: this process only
needs onnxruntime. The network reads windows of 512 samples, each with the 64 samples before it,
and carries an LSTM state from window to window; ``DetectSpeechCall.state`` holds both.

Source: https://github.com/snakers4/silero-vad
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speech_translator.engines.values import DetectSpeechCall, EngineInfo, SpeechProbabilities
from speech_translator.errors import InvalidRequest, ModelDamaged, ModelMissing

WINDOW = 512
"""Samples of one probability: 32 ms at 16 kHz."""

_CONTEXT = 64
_LSTM = 128
_STATE_FLOATS = 2 * _LSTM + _CONTEXT
_FILE = "assets/silero_vad_v6.onnx"
_INPUTS = {"input", "h", "c"}

# More windows than this in one run only cost memory: the encoder's activations grow with them.
_MOST_WINDOWS = 1024

Floats = npt.NDArray[np.float32]


def load(options: Mapping[str, object]) -> SileroDetector:
    """The engine; it takes no options, and one thread is the fastest for a net of this size.

    Raises:
        ModelMissing: faster-whisper, which carries the file, is not installed.
        ModelDamaged: the file is not the network that is expected.
    """
    del options
    return SileroDetector(_open(_model_path()))


class SileroDetector:
    """A ``SpeechDetector``; see ``engines/base.py``."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def describe(self) -> EngineInfo:
        """One call at a time: a second of audio costs about 2 ms."""
        return EngineInfo(
            name="silero",
            task="voice_activity",
            concurrency=1,
            preferred_batch=8,
            models=("silero-vad-v6",),
        )

    def detect_speech(self, calls: Sequence[DetectSpeechCall]) -> list[SpeechProbabilities]:
        """Probabilities for each clip, in order, with the state that continues it.

        Raises:
            InvalidRequest: a length is not a multiple of 512 samples, or a state is not ours.
        """
        return [self._detect(call) for call in calls]

    def _detect(self, call: DetectSpeechCall) -> SpeechProbabilities:
        audio = np.asarray(call.audio, dtype=np.float32)
        if audio.ndim != 1 or len(audio) % WINDOW:
            raise InvalidRequest(f"Audio must be mono, in whole windows of {WINDOW} samples.")
        h, c, context = _unpack(call.state)
        if not len(audio):
            return SpeechProbabilities(np.zeros(0, np.float32), _pack(h, c, context))
        # NaN or infinity would stay in the LSTM state for the rest of the stream.
        audio = np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0)
        found = []
        step = _MOST_WINDOWS * WINDOW
        for start in range(0, len(audio), step):
            piece = audio[start : start + step]
            probabilities, h, c = self._session.run(
                None, {"input": _windows(piece, context), "h": h, "c": c}
            )
            found.append(np.asarray(probabilities, dtype=np.float32).reshape(-1))
            context = piece[-_CONTEXT:]
        return SpeechProbabilities(np.concatenate(found), _pack(h, c, context))


def _model_path() -> Path:
    spec = importlib.util.find_spec("faster_whisper")
    for location in (spec and spec.submodule_search_locations) or ():
        path = Path(location, _FILE)
        if path.is_file():
            return path
    command = 'pip install "faster-whisper>=1.2.1"'
    raise ModelMissing(
        f"Silero's network is not installed; faster-whisper carries it. Add it: {command}",
        command=command,
    )


def _open(path: Path) -> Any:
    """An onnxruntime session on one thread, without an arena that would keep its peak."""
    # Imported here, so that this module can be read without loading 30 MB of native code.
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors share no public base class
        raise ModelDamaged(
            "Silero's network cannot be read. Install faster-whisper again.",
        ) from error
    if {entry.name for entry in session.get_inputs()} != _INPUTS:
        raise ModelDamaged("Silero's network has other inputs than expected.")
    return session


def _windows(audio: Floats, context: Floats) -> Floats:
    """Rows of 576 samples: each window of 512 behind the 64 samples before it."""
    joined = np.concatenate((context, audio))
    return np.ascontiguousarray(
        np.lib.stride_tricks.sliding_window_view(joined, _CONTEXT + WINDOW)[::WINDOW]
    )


def _unpack(state: bytes | None) -> tuple[Floats, Floats, Floats]:
    """LSTM state h and c of shape (1, 1, 128), and the last 64 samples."""
    if state is None:
        values = np.zeros(_STATE_FLOATS, np.float32)
    elif len(state) == _STATE_FLOATS * 4:
        values = np.frombuffer(state, dtype="<f4").astype(np.float32)
    else:
        raise InvalidRequest("The state does not come from this detector.")
    h, c, context = np.split(values, [_LSTM, 2 * _LSTM])
    return h.reshape(1, 1, _LSTM), c.reshape(1, 1, _LSTM), context


def _pack(h: Floats, c: Floats, context: Floats) -> bytes:
    joined = np.concatenate((h.reshape(-1), c.reshape(-1), context))
    return joined.astype("<f4").tobytes()
