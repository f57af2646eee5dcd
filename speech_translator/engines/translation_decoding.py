"""One translation model at work: texts to pieces, batches through CTranslate2, and back to texts.

Whole sentences go in, of any length: what is longer than the models are good for is cut before it
and joined after. A decode that goes in circles is made again with repetitions forbidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from speech_translator.engines.translation_families import END, Tokens
from speech_translator.engines.translation_pieces import cut, cycle, is_loop, joint
from speech_translator.engines.values import TranslateCall
from speech_translator.text import has_letters
from speech_translator.text.sentences import split

MAX_PIECES = 192
"""Longest input. The models were trained on sentences: MADLAD-400 on at most 256 pieces, the others
on few of more than 200; past that they leave things out."""

BEAM = 2
"""CTranslate2's own default. On two cores, with weights of the size of M2M-100 418M in int8, eight
sentences of 22 tokens took 1.3 s greedily, 1.7 s with two beams and 2.1 s with five. Two beams get
most of what a search is good for, and captions are waited for."""

_LENGTHS = (16, 48, 96, MAX_PIECES)
"""Inputs up to each of these are decoded together, so that the bound on the length of their
translations is a fixed one, whatever else is in the batch."""


class Processor(Protocol):
    """sentencepiece's model, loaded."""

    def encode(self, text: str, *, out_type: type) -> list[str]:
        """The pieces of a text."""
        ...

    def decode(self, pieces: list[str]) -> str:
        """The text of pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Input:
    """What the model reads in one go."""

    tokens: list[str]
    prefix: list[str]
    pieces: list[str]


@dataclass(frozen=True, slots=True)
class Output:
    """What the model made of an input; not finished where it came to the limit of its length."""

    pieces: list[str]
    finished: bool = True


class TranslationModel:
    """A loaded model. Safe to call from several threads.

    Args:
        translator: a ``ctranslate2.Translator``.
        source: tokenizer of texts.
        target: tokenizer of translations.
        tokens: the tokens that name languages.
        ends_sources: whether CTranslate2 adds the end of the sentence.
        batch_tokens: how many tokens of input, padding among them, are decoded together.
    """

    def __init__(
        self,
        translator: Any,
        source: Processor,
        target: Processor,
        tokens: Tokens,
        *,
        ends_sources: bool,
        batch_tokens: int,
    ) -> None:
        self._translator = translator
        self._source = source
        self._target = target
        self._end = [] if ends_sources else [END]
        self._batch_tokens = batch_tokens
        self.tokens = tokens

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        """One translation for each call, in order, all decoded together."""
        inputs: list[Input] = []
        plans = [self._plan(call, inputs) for call in calls]
        outputs = self._decode(inputs)
        return [
            "".join(part if isinstance(part, str) else part.text(outputs) for part in plan)
            for plan in plans
        ]

    def _plan(self, call: TranslateCall, inputs: list[Input]) -> list[str | _Sentence]:
        """What the answer is made of; adds the inputs that it needs."""
        plan: list[str | _Sentence] = []
        at = 0
        for start, end in split(call.text, call.source):
            plan += [call.text[at:start], self._sentence(call, call.text[start:end], inputs)]
            at = end
        return [*plan, call.text[at:]]

    def _sentence(self, call: TranslateCall, text: str, inputs: list[Input]) -> str | _Sentence:
        if not has_letters(text):
            return text
        pieces = self._source.encode(self.tokens.harmless(text), out_type=str)
        if not pieces:
            return text
        prefix = self.tokens.target_prefix(call.target)
        first = len(inputs)
        for part in cut(pieces, MAX_PIECES):
            named = self.tokens.source(part, call.source, call.target)
            inputs.append(Input(named + self._end, prefix, part))
        return _Sentence(first, len(inputs), joint(call.target), text)

    def _decode(self, inputs: Sequence[Input]) -> list[str]:
        """The text of each input's translation."""
        lengths = [next(n for n in _LENGTHS if len(one.pieces) <= n) for one in inputs]
        outputs = self._run(inputs, [2 * length + 32 for length in lengths])
        again = [
            index
            for index, (one, output) in enumerate(zip(inputs, outputs, strict=True))
            if not output.finished or is_loop(output.pieces, one.pieces)
        ]
        repaired = self._run(
            [inputs[index] for index in again],
            [3 * lengths[index] + 32 for index in again],
            no_repeat_ngram_size=3,
        )
        for index, output in zip(again, repaired, strict=True):
            first = outputs[index].pieces
            if output.finished or not is_loop(first, inputs[index].pieces):
                outputs[index] = output
            else:  # Never an end: what was said before it went in circles is all there is.
                outputs[index] = Output(first[: cycle(first).end])
        return [self._target.decode(output.pieces).strip() for output in outputs]

    def _run(
        self, inputs: Sequence[Input], limits: Sequence[int], **guards: object
    ) -> list[Output]:
        """Translations of at most so many tokens each; inputs of one limit go together."""
        running = {}
        for limit in dict.fromkeys(limits):
            chosen = [one for one, own in zip(inputs, limits, strict=True) if own == limit]
            results = self._translator.translate_batch(
                [one.tokens for one in chosen],
                [one.prefix for one in chosen] if chosen[0].prefix else None,
                max_batch_size=self._batch_tokens,
                batch_type="tokens",
                beam_size=BEAM,
                disable_unk=True,
                max_input_length=0,  # nothing is dropped: inputs were cut
                max_decoding_length=limit,
                asynchronous=True,
                **guards,
            )
            running[limit] = iter(results)
        outputs = []
        for limit in limits:
            tokens = next(running[limit]).result().hypotheses[0]
            outputs.append(Output(self.tokens.text(tokens), finished=len(tokens) < limit))
        return outputs


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of the answer: the inputs from ``first`` to before ``last``."""

    first: int
    last: int
    joint: str
    original: str

    def text(self, outputs: Sequence[str]) -> str:
        """Its translation; the sentence itself where a model had nothing to say to it."""
        return self.joint.join(filter(None, outputs[self.first : self.last])) or self.original
