"""Engines for tests of what runs engines. They obey marks in the text that they are given."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping, Sequence

from speech_translator.engines.values import EngineInfo, TranslateCall
from speech_translator.errors import InvalidText, ModelMissing


class EchoTranslator:
    """Answers ``<target>:<text>``, but for texts that hold a mark.

    ``CRASH`` ends the process, ``SEGFAULT`` by a signal, ``HANG`` never answers, ``RAISE`` fails,
    ``REFUSE`` is the caller's fault, ``SLOW`` takes a while, ``GROW`` takes memory.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        self.seconds = float(str(options.get("seconds", 0)))
        self.concurrency = int(str(options.get("concurrency", 1)))
        self.batch = int(str(options.get("batch", 1)))
        self.log = str(options.get("log", ""))

    def describe(self) -> EngineInfo:
        return EngineInfo(
            "echo",
            "translation",
            concurrency=self.concurrency,
            preferred_batch=self.batch,
            pairs=(("en", "pt"), ("pt", "en")),
        )

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{'|'.join(call.text for call in calls)}\n")
        if self.seconds:  # a sleep of nothing still costs some 70 µs
            time.sleep(self.seconds)
        for call in calls:
            self._obey(call.text)
        return [f"{call.target}:{call.text}" for call in calls]

    @staticmethod
    def _obey(text: str) -> None:
        if "CRASH" in text:
            os._exit(1)
        if "SEGFAULT" in text:
            ctypes.string_at(0)
        if "HANG" in text:
            time.sleep(3600)
        if "RAISE" in text:
            raise RuntimeError(text)
        if "REFUSE" in text:
            raise InvalidText("Not this one.", limit=3)
        if "SLOW" in text:
            time.sleep(0.3)
        if "GROW" in text:
            bytearray(8 * 2**30)


def load(options: Mapping[str, object]) -> EchoTranslator:
    time.sleep(float(str(options.get("load_seconds", 0))))
    if options.get("missing"):
        raise ModelMissing("Its weights are not installed: pip install weights")
    if options.get("broken"):
        raise RuntimeError("broken")
    if options.get("dies"):
        os._exit(3)
    return EchoTranslator(options)
