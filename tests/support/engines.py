"""Engines for tests of what runs engines. They obey marks in the text that they are given."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from speech_translator.engines.values import (
    DetectSpeechCall,
    EngineInfo,
    SpeechProbabilities,
    TranslateCall,
)
from speech_translator.errors import InvalidText, ModelMissing

LEAK_BYTES = 32 * 1024 * 1024
"""What a ``LEAK`` never gives back."""


def _fail(text: str) -> NoReturn:
    raise RuntimeError(text)


def _refuse(_text: str) -> NoReturn:
    raise InvalidText("Not this one.", limit=3)


_LEAKED: list[bytearray] = []


def _leak(_text: str) -> None:
    _LEAKED.append(bytearray(b"x" * LEAK_BYTES))


def _print(text: str) -> None:
    print(text)  # noqa: T201
    os.write(1, text.encode())


# What a mark in a text makes the engine do before it answers, if it still can.
MARKS: Mapping[str, Callable[[str], object]] = {
    "CRASH": lambda _text: os._exit(1),
    "SEGFAULT": lambda _text: ctypes.string_at(0),
    "HANG": lambda _text: time.sleep(3600),
    "RAISE": _fail,
    "REFUSE": _refuse,
    "EXIT": lambda _text: sys.exit(0),
    "SLOW": lambda _text: time.sleep(0.3),
    "GROW": lambda _text: bytearray(8 * 2**30),
    "LEAK": _leak,
    "PRINT": _print,
}

# What a mark makes of the answer.
ANSWERS: Mapping[str, Callable[[str], Any]] = {
    "SURROGATE": lambda _text: "\ud800",
    "OBJECT": lambda _text: object(),
    "VARIABLE": lambda text: os.environ.get(text.partition(" ")[2], "not set"),
}


class EchoTranslator:
    """Answers ``<target>:<text>``, but for texts that hold a mark.

    Options: ``name``, ``seconds`` a batch takes, ``concurrency``, ``batch``, ``log``: a file that
    gets a line for every batch, ``broken_while``: a file that makes it raise on everything while
    it is there, ``held_while``: one until whose end no batch is answered.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        self.seconds = float(str(options.get("seconds", 0)))
        self.concurrency = int(str(options.get("concurrency", 1)))
        self.batch = int(str(options.get("batch", 1)))
        self.log = str(options.get("log", ""))
        self.name = str(options.get("name", "echo"))
        self.broken_while = str(options.get("broken_while", ""))
        self.held_while = str(options.get("held_while", ""))

    def describe(self) -> EngineInfo:
        return EngineInfo(
            self.name,
            "translation",
            concurrency=self.concurrency,
            preferred_batch=self.batch,
            pairs=(("en", "pt"), ("pt", "en")),
        )

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        if self.broken_while and os.path.exists(self.broken_while):  # noqa: PTH110
            raise RuntimeError("broken")
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{'|'.join(call.text for call in calls)}\n")
        while self.held_while and os.path.exists(self.held_while):  # noqa: PTH110
            time.sleep(0.01)
        if self.seconds:  # a sleep of nothing still costs some 70 µs
            time.sleep(self.seconds)
        return [self._answer(call) for call in calls]

    @staticmethod
    def _answer(call: TranslateCall) -> str:
        if not call.text.isascii() or any(map(str.isupper, call.text)):
            for mark, act in MARKS.items():
                if mark in call.text:
                    act(call.text)
            for mark, make in ANSWERS.items():
                if mark in call.text:
                    return make(call.text)  # type: ignore[no-any-return]
        return f"{call.target}:{call.text}"


class EchoDetector:
    """Answers with the audio that it was given, as probabilities."""

    def describe(self) -> EngineInfo:
        return EngineInfo("echo", "voice_activity", preferred_batch=8)

    def detect_speech(self, calls: Sequence[DetectSpeechCall]) -> list[SpeechProbabilities]:
        for call in calls:
            np.add(call.audio, 0, out=call.audio)  # engines may work in place
        return [SpeechProbabilities(call.audio, call.state or b"") for call in calls]


def load(options: Mapping[str, object]) -> EchoTranslator:
    time.sleep(float(str(options.get("load_seconds", 0))))
    if options.get("missing"):
        raise ModelMissing("Its weights are not installed: pip install weights")
    if options.get("broken"):
        raise RuntimeError("broken")
    if options.get("dies"):
        os._exit(3)
    return EchoTranslator(options)


def load_detector(_options: Mapping[str, object]) -> EchoDetector:
    return EchoDetector()
