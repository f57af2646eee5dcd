"""espeak-ng's shared library through ctypes: speech, and the phonemes that Kokoro reads.

GPL-3.0-or-later: imported only inside the engine processes of ``espeak`` and ``kokoro``. The C
interface is ``speak_lib.h`` of espeak-ng 1.52. Its state is global to the process, so there is one
library object a process (``library()``), and one call at a time.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from speech_translator.engines.values import Samples
from speech_translator.errors import ModelMissing

INSTALL_COMMAND = 'pip install "speech-translator[gpl]"'

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all is spoken
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: an error code instead of exit()
_UTF8 = 1  # espeakCHARS_UTF8, and neither SSML nor [[phonemes]]
_IPA = 0x02
_TIE = "^"
_TIED_IPA = _IPA | 0x80 | ord(_TIE) << 8
_RATE = 1
_WORDS_PER_MINUTE = 150  # a little slower than its own 175: more of it is understood
_SWITCH = re.compile(r"\([\^a-z-]+\)")  # (en): what follows is read as English

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _CVoice(ctypes.Structure):
    """``espeak_VOICE``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A voice as the library lists it: ``gmw/en-US``, ``en-us``, ``English (America)``."""

    identifier: str
    code: str
    name: str


@cache
def library() -> EspeakLibrary:
    """The library of this process, loaded at the first call.

    Raises:
        ModelMissing: ``espeakng-loader`` is not installed.
    """
    if find_spec("espeakng_loader") is None:
        raise ModelMissing(f"espeak-ng is not installed. Run: {INSTALL_COMMAND}")
    import espeakng_loader  # noqa: PLC0415 - GPL, only inside an engine process

    return EspeakLibrary(
        Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    )


class EspeakLibrary:
    """The calls that are used, with Python's types.

    Args:
        path: the shared library.
        data: its ``espeak-ng-data``.

    Raises:
        ModelMissing: the library cannot be loaded, or does not find its data.
    """

    def __init__(self, path: Path, data: Path) -> None:
        self._lock = threading.Lock()
        self._library = _loaded(path)
        # The library keeps the path in 160 bytes. A descriptor's name is short, wherever it leads.
        place = str(data)
        if sys.platform == "linux":
            place = f"/proc/self/fd/{os.open(data.parent, os.O_RDONLY | os.O_DIRECTORY)}"
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(place), _DONT_EXIT)
        if rate <= 0:
            raise ModelMissing(f"espeak-ng does not find its data. Run: {INSTALL_COMMAND}")
        self.sample_rate: int = rate
        """Hz of what ``speak`` returns."""
        self._voice = ""
        self._heard: list[Samples] = []
        self._room = 0
        self._callback = _Callback(self._take)  # kept: ctypes does not
        self._library.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[EspeakVoice]:
        """Every voice whose data is there, in the library's order."""
        with self._lock:
            table = self._library.espeak_ListVoices(None)
            return [_voice(entry) for entry in _entries(table)]

    def phonemes(self, text: str, voice: str) -> str:
        """``text`` in IPA without its marks; parts of one sound are tied by ``^``.

        Args:
            text: without marks that end a clause: what they ended would be run together.
            voice: an ``EspeakVoice.identifier``.
        """
        with self._lock:
            self._use(voice)
            data = ctypes.create_string_buffer(_encoded(text))
            place = ctypes.c_void_p(ctypes.addressof(data))
            found = []
            # One clause a call, at most one for each byte. The library holds back a character of
            # what follows, so that it must always be read to the end.
            for _ in range(len(data)):
                if not place.value:
                    break
                clause = self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _TIED_IPA)
                found.append(clause.decode("utf-8", "replace"))
        spoken = " ".join(part.strip() for part in found if part.strip())
        return _SWITCH.sub("", spoken)

    def speak(self, text: str, voice: str, *, speed: float, max_seconds: float) -> Samples:
        """``text`` spoken at ``sample_rate``; cut off after ``max_seconds``."""
        with self._lock:
            self._use(voice)
            rate = round(_WORDS_PER_MINUTE * speed)
            self._library.espeak_SetParameter(_RATE, rate, 0)
            self._heard, self._room = [], int(max_seconds * self.sample_rate)
            data = _encoded(text)
            self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
            heard, self._heard = self._heard, []
        return np.concatenate(heard) if heard else np.zeros(0, np.float32)

    def _take(self, samples: Any, count: int, _events: object) -> int:
        """Copy what the library has made; 1 tells it to stop."""
        if samples and count > 0:
            block = np.ctypeslib.as_array(samples, (count,))
            self._heard.append(block.astype(np.float32) / 32768.0)
            self._room -= count
        return int(self._room <= 0)

    def _use(self, voice: str) -> None:
        if voice == self._voice:
            return
        self._voice = ""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError("espeak-ng refused one of its own voices")
        self._voice = voice


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise ModelMissing(
            f"espeak-ng cannot be loaded on this machine. Run: {INSTALL_COMMAND}"
        ) from error
    loaded.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_CVoice))
    loaded.espeak_TextToPhonemes.restype = ctypes.c_char_p
    return loaded


def _encoded(text: str) -> bytes:
    """UTF-8 that is safe to hand over: NUL would end it, other controls are commands."""
    return "".join(max(char, " ") for char in text).encode("utf-8", "ignore")


def _entries(table: Any) -> Iterator[_CVoice]:
    """The entries of an array of pointers that a null pointer ends."""
    index = 0
    while table[index]:
        yield table[index].contents
        index += 1


def _voice(entry: _CVoice) -> EspeakVoice:
    """One entry; of its languages (a priority byte and a name each) the first counts."""
    code = ctypes.string_at(entry.languages + 1).decode("ascii", "replace")
    name = entry.name.decode("utf-8", "replace").strip()
    return EspeakVoice(entry.identifier.decode(), code, name)
