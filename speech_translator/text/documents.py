"""Translating a text without any input or output of its own (sans-I/O).

``plan`` is a generator: it yields lists of sentences, is sent their translations, and returns the
finished text. Who drives it decides about engines, caches and concurrency.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from speech_translator.languages import Language
from speech_translator.text import markup, numbers, placeholders, sentences
from speech_translator.text.borders import Borders, View
from speech_translator.text.hints import Hint, Hints, context_before
from speech_translator.text.marks import Kind, Mark, Template, decode, encode, group, plain
from speech_translator.text.units import Unit, plain_unit

TextFormat = Literal["text", "html"]

_MAX_SLOTS = 12
"""More marks than this in one sentence are not tried as markers: small models lose count."""


def plan(
    text: str,
    *,
    source: Language,
    text_format: TextFormat = "text",
    glossary: Mapping[str, str] | None = None,
    hints: Hints | None = None,
) -> Generator[list[str], list[str], str]:
    """Translate ``text``, sentence by sentence.

    ``hints`` is told what stands around the sentences of each batch, before it is yielded.

    Yields:
        Sentences for an engine: single-spaced, with markers for what must be kept. Again where
        markers were lost: with others for tags, at last the pieces between them. Again where
        numbers were: with markers for those.

    Returns:
        The text with its translations in place. Everything between sentences is as it was; with
        translations that equal their sentences, so is the whole, byte for byte.

    Raises:
        InvalidMarkup: HTML that is nested too deeply.
    """
    language = source.key.partition("-")[0]
    terms = glossary or {}
    if text_format == "text":
        return (yield from _translated(text, [plain_unit(text)], language, terms, hints))
    # Attributes lie inside of tags, which move as a whole: they are finished first.
    text = yield from _translated(text, markup.attributes(text), language, terms, hints)
    return (yield from _translated(text, markup.units(text), language, terms, hints))


def _translated(
    text: str,
    units: Sequence[Unit],
    language: str,
    glossary: Mapping[str, str],
    hints: Hints | None,
) -> Generator[list[str], list[str], str]:
    """``text`` with its units translated."""
    jobs = [job for unit in units for job in _jobs(unit, language, glossary)]
    yield from _translate(jobs, hints)
    return _spliced(text, jobs)


@dataclass(slots=True)
class _Job:
    """One sentence on its way; ``result`` stands in the document in the end."""

    unit: Unit
    start: int
    end: int
    runs: list[list[Mark]]
    template: Template
    result: str | None = None
    lost_numbers: bool = False

    def encode(self, *, named_tags: bool) -> bool:
        """Make the template of one attempt; whether there is any use in it."""
        if len(self.runs) > _MAX_SLOTS:
            return False
        if named_tags:
            if not any(slot.is_tag for slot in self.template.slots):
                return False
            self.template = _encoded(self.unit, self.start, self.end, self.runs, named_tags=True)
        return True

    def with_numbers(self) -> Template | None:
        """A template with markers for numbers, too; None where there is no use in it."""
        marks = [mark for run in self.runs for mark in run]
        found = placeholders.merge(marks, numbers.find(self.unit.text, self.start, self.end))
        runs = group(found)
        if len(found) == len(marks) or len(runs) > _MAX_SLOTS:
            return None
        return _encoded(self.unit, self.start, self.end, runs)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Offsets of the text between the marks."""
        at = self.start
        for run in self.runs:
            yield at, run[0].start
            at = run[-1].end
        yield at, self.end

    def assemble(self, texts: Sequence[str]) -> str:
        """Finished texts for the pieces, with the outputs of the marks between them."""
        parts = [texts[0]]
        for slot, text in zip(self.template.slots, texts[1:], strict=True):
            parts += (slot.output, text)
        return "".join(parts)

    def hint(self, template: Template) -> Hint:
        """What the markers of an attempt stand for, of the terms, and what is said before it."""
        terms = tuple(
            (slot.marker, slot.output)
            for slot in template.slots
            if any(mark.kind is Kind.VALUE and mark.output is not None for mark in slot.marks)
        )
        return Hint(terms, context_before(self.unit.text, self.start))

    def as_written(self) -> str:
        """The sentence untranslated, but with glossary terms replaced."""
        return self.assemble([self.unit.written(*piece) for piece in self.pieces()])


def _translate(jobs: Sequence[_Job], hints: Hints | None) -> Generator[list[str], list[str], None]:
    """Set every job's result, in one round where no marker and no number is lost."""
    yield from _with_markers(jobs, hints)
    yield from _in_pieces(jobs, hints)
    yield from _with_numbers(jobs, hints)


def _with_markers(
    jobs: Sequence[_Job], hints: Hints | None
) -> Generator[list[str], list[str], None]:
    """Whole sentences, marks as markers: once as they are best, once with others for tags."""
    for named_tags in (False, True):
        tried = [job for job in jobs if job.result is None and job.encode(named_tags=named_tags)]
        if tried:
            if hints is not None:
                hints.latest = [job.hint(job.template) for job in tried]
            answers = yield [job.template.text for job in tried]
            for job, answer in zip(tried, answers, strict=True):
                job.result = _settled(job, answer)
                job.lost_numbers = numbers.are_lost(job.template.text, answer)


def _in_pieces(jobs: Sequence[_Job], hints: Hints | None) -> Generator[list[str], list[str], None]:
    """What lies between the marks, where markers were lost."""
    lost = [job for job in jobs if job.result is None]
    wanted = [
        (job.unit.text, start, end)
        for job in lost
        for start, end in job.pieces()
        if sentences.has_letters(job.unit.text[start:end])
    ]
    if not wanted:
        return
    requests = [plain(text[start:end]) for text, start, end in wanted]
    if hints is not None:
        hints.latest = [Hint((), context_before(text, start)) for text, start, _ in wanted]
    answers = yield requests
    replies = iter(zip(requests, answers, strict=True))
    for job in lost:
        job.result = job.assemble([_piece(job.unit, *piece, replies) for piece in job.pieces()])


def _with_numbers(
    jobs: Sequence[_Job], hints: Hints | None
) -> Generator[list[str], list[str], None]:
    """Sentences that lost a number, with markers for those; what they were stands otherwise."""
    again = [
        (job, template)
        for job in jobs
        if job.lost_numbers and (template := job.with_numbers()) is not None
    ]
    if not again:
        return
    if hints is not None:
        hints.latest = [job.hint(template) for job, template in again]
    answers = yield [template.text for _, template in again]
    for (job, template), answer in zip(again, answers, strict=True):
        job.result = decode(answer, template, job.unit.escape) or job.result


def _settled(job: _Job, answer: str) -> str | None:
    """The finished sentence, or None when marks were lost."""
    if answer == job.template.text:
        return job.as_written()
    return decode(answer, job.template, job.unit.escape)


def _piece(unit: Unit, start: int, end: int, replies: Iterator[tuple[str, str]]) -> str:
    """A finished piece between two marks, with the spaces that it had at its ends."""
    written = unit.written(start, end)
    text = unit.text[start:end]
    if not sentences.has_letters(text):
        return written
    request, answer = next(replies)
    if answer == request:
        return written
    lead, tail = len(text) - len(text.lstrip()), len(text.rstrip())
    return (
        unit.written(start, start + lead)
        + unit.escape(answer.strip())
        + unit.written(start + tail, end)
    )


def _spliced(text: str, jobs: Sequence[_Job]) -> str:
    parts: list[str] = []
    at = 0
    for job in jobs:
        start, end = job.unit.at[job.start], job.unit.at[job.end]
        parts += (text[at:start], job.result or "")
        at = end
    parts.append(text[at:])
    return "".join(parts)


def _jobs(unit: Unit, language: str, glossary: Mapping[str, str]) -> Iterator[_Job]:
    """The sentences of a unit that are to be translated or hold a term to be replaced."""
    found = placeholders.find(unit.text, glossary, unit.escape)
    marks = placeholders.merge(unit.marks, found)
    view = View(unit.text, marks)
    borders = Borders(unit.text, marks)
    for start, end in sentences.split(view.text, language):
        inside = borders.around(view.at[start], view.at[end - 1] + 1)
        if inside is not None:
            job = _job(unit, *inside)
            if job is not None:
                yield job


def _job(unit: Unit, start: int, end: int, marks: Sequence[Mark]) -> _Job | None:
    """A sentence; one with nothing to say but a term is finished at once, or not a job at all."""
    runs = group(marks)
    job = _Job(unit, start, end, runs, _encoded(unit, start, end, runs))
    if any(sentences.has_letters(unit.text[left:right]) for left, right in job.pieces()):
        return job
    job.result = job.as_written()
    return job if job.result != unit.written(start, end) else None


def _encoded(
    unit: Unit, start: int, end: int, runs: list[list[Mark]], *, named_tags: bool = False
) -> Template:
    return encode(unit.text, start, end, runs, unit.written, named_tags=named_tags)
