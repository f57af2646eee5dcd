"""From what was spoken to a target language: by text engines, or by recognition's own English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from speech_translator.engines.routing import Route
from speech_translator.languages import Language
from speech_translator.scalability.recognition import Recognised, Recognition
from speech_translator.scalability.results import RequestContext, Transcription, Translation
from speech_translator.scalability.text_translation import UNTRANSLATED, TextTranslation
from speech_translator.scalability.transcripts import spoken_key
from speech_translator.text.distribution import distribute, sentence_runs

ENGLISH = "en"


class SpeechTranslation:
    """Ways from speech to translated text.

    Args:
        texts: translates transcripts.
        recognition: may read speech in English.
    """

    def __init__(self, texts: TextTranslation, recognition: Recognition) -> None:
        self._texts = texts
        self._recognition = recognition

    def needs_english(self, spoken: Language, target: Language) -> bool:
        """Whether recognition's own reading in English is the only or the better way to ``target``.

        It is better than translating a transcript by rules, unless rules follow it as well: what
        Apertium makes of French is far from what Whisper does.
        """
        if spoken.key == target.key or not self._to_english(spoken):
            return False
        direct = self._texts.planner().routes(spoken.key, target.key)
        if target.key == ENGLISH:
            return not direct or self._by_rules(direct[0])
        onward = self._texts.planner().routes(ENGLISH, target.key)
        if not onward or not direct:
            return bool(onward)
        return self._by_rules(direct[0]) and not self._by_rules(onward[0])

    def check(self, spoken: Language | None, target: Language) -> None:
        """Refuse a pair before the work; ``spoken`` is None where that is found out later.

        Raises:
            UnsupportedPair: nothing leads to ``target``.
        """
        if spoken is not None:
            if not self._reaches(spoken, target):
                self._texts.check_pair(spoken, target)
        elif not any(
            self._reaches(Language.parse(key), target)
            or self._texts.planner().routes(key, target.key)
            for key in sorted(self._recognition.languages())
        ):
            # What is said there is true of every spoken language.
            self._texts.check_pair(Language.parse(ENGLISH), target)

    def _reaches(self, spoken: Language, target: Language) -> bool:
        """Whether recognition alone, or its English, leads there."""
        return spoken.key == target.key or self.needs_english(spoken, target)

    async def translated(
        self,
        recognised: Recognised,
        target: Language,
        glossary: Mapping[str, str],
        context: RequestContext,
    ) -> Transcription:
        """The transcription with a translation of the whole and of every segment."""
        transcription = recognised.transcription
        spoken = transcription.language
        if spoken is None or not transcription.segments:
            nothing = Translation("", spoken or target, target, UNTRANSLATED, ())
            return replace(transcription, translation=nothing)
        before: list[str] = []
        if recognised.english is None:
            if spoken.key != target.key:
                self._texts.check_pair(spoken, target)
            originals = [segment.text for segment in transcription.segments]
            source = spoken
        else:
            originals = list(recognised.english)
            source = Language.parse(ENGLISH)
            before.append(f"{recognised.reader}:{spoken.key}-{ENGLISH}")
        runs = sentence_runs(originals)
        sentences = [" ".join(filter(None, (originals[i] for i in run))) for run in runs]
        answers = await self._texts.translate(
            sentences, source=source, target=target, glossary=glossary, context=context, spare=True
        )
        parts: list[str] = []
        for run, answer in zip(runs, answers, strict=True):
            parts += distribute(answer.text, [originals[i] for i in run])
        segments = tuple(
            replace(segment, translation=part)
            for segment, part in zip(transcription.segments, parts, strict=True)
        )
        steps = (*before, *dict.fromkeys(step for answer in answers for step in answer.route))
        translation = Translation(
            " ".join(filter(None, (answer.text.strip() for answer in answers))),
            spoken,
            target,
            engine=steps[-1].partition(":")[0] if steps else UNTRANSLATED,
            route=steps,
            cached=all(answer.cached for answer in answers),
            degraded=any(answer.degraded for answer in answers),
            rule_based=any(answer.rule_based for answer in answers),
        )
        return replace(transcription, segments=segments, translation=translation)

    def _by_rules(self, route: Route) -> bool:
        engines = self._texts.planner().engines
        rules = {info.name for info in engines if info.rule_based}
        return any(step.engine in rules for step in route)

    def _to_english(self, spoken: Language) -> bool:
        return any(
            info.to_english and spoken_key(spoken) in info.languages
            for info in self._recognition.infos()
        )
