"""Does the work of one session over the async door."""

from __future__ import annotations

import time
from collections.abc import Mapping

from speech_translator.engines.values import Priority
from speech_translator.reliability.deadlines import Clock, Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.streaming.interpreting import Interpreter, Translating
from speech_translator.streaming.messages import StartRequest
from speech_translator.streaming.session import Result
from speech_translator.streaming.work import (
    Detect,
    Foresee,
    Guess,
    Interpret,
    Render,
    Retranslate,
    Speak,
    Work,
)

_SECONDS: dict[type[Work], float] = {
    Detect: 15.0,
    Interpret: 45.0,
    Retranslate: 45.0,
    Guess: 3.0,
    Foresee: 10.0,
    Render: 3.0,
    Speak: 60.0,
}
"""Deadlines: a partial that is late is worth nothing; the rest is tried again by the session."""

_PRIORITIES: dict[type[Work], Priority] = {
    Detect: Priority.LIVE,
    Interpret: Priority.LIVE,
    Retranslate: Priority.LIVE,
    Foresee: Priority.LIVE,
    Guess: Priority.INTERACTIVE,  # behind everything that is final
    Render: Priority.INTERACTIVE,
    Speak: Priority.INTERACTIVE,
}


class WorkRunner:
    """Runs pieces of work, each within its deadline.

    Args:
        translator: the async door.
        glossary: source terms and the words that must stand for them in translations.
        owner: whom the work belongs to.
        weight: the owner's share of the engines, beside others.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        translator: Translating,
        *,
        glossary: Mapping[str, str] | None = None,
        owner: str,
        weight: int = 1,
        clock: Clock = time.monotonic,
    ) -> None:
        self._translator = translator
        self._interpreter = Interpreter(translator, glossary)
        self._owner = owner
        self._weight = weight
        self._clock = clock

    def check(self, request: StartRequest) -> None:
        """Refuse what could never be done; raises what ``Interpreter.check`` does."""
        self._interpreter.check(
            request.source, request.targets, speech=request.speech, voice=request.voice
        )

    async def run(self, work: Work) -> Result:
        """The answer to a piece of work.

        Raises:
            SpeechTranslatorError: it failed.
        """
        context = RequestContext(
            Deadline.after(_SECONDS[type(work)], clock=self._clock),
            owner=self._owner,
            weight=self._weight,
            priority=_PRIORITIES[type(work)],
        )
        match work:
            case Detect():
                return await self._translator.detect_speech(
                    work.samples, work.state, context=context
                )
            case Guess():
                return await self._interpreter.interpret(
                    work.samples, language=work.language, targets=(), context=context, sound="draft"
                )
            case Interpret() | Foresee():
                return await self._interpreter.interpret(
                    work.samples, language=work.language, targets=work.targets, context=context
                )
            case Render():
                return await self._interpreter.render(
                    work.text, language=work.language, targets=work.targets, context=context
                )
            case Retranslate():
                return await self._interpreter.translate_again(
                    work.samples, said=work.said, targets=work.targets, context=context
                )
            case Speak():
                return await self._translator.synthesize(
                    work.text,
                    language=work.language,
                    voice=work.voice,
                    speed=work.speed,
                    context=context,
                    live=True,
                )
