"""The translation engines that are installed here, in this process, driven as the service does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

from speech_translator.engines.base import Translator
from speech_translator.engines.registry import engine_specs
from speech_translator.engines.routing import Route, RoutePlanner
from speech_translator.engines.values import TranslateCall
from speech_translator.languages import Language
from speech_translator.settings import Settings
from tests.support.plans import run_plan

PARALLEL = Path(__file__).parent / "parallel_text.tsv"


def parallel() -> dict[str, list[str]]:
    """The parallel sentences by language; all lists are of one length."""
    header, *rows = (line.split("\t") for line in PARALLEL.read_text(encoding="utf-8").splitlines())
    return {language: [row[n] for row in rows] for n, language in enumerate(header)}


class Engines:
    """Loaded engines by name, and the planner over them in the settings' order."""

    def __init__(self, engines: dict[str, Translator]) -> None:
        self._engines = engines
        self.planner = RoutePlanner(tuple(engine.describe() for engine in engines.values()))

    def walk(self, route: Route) -> Callable[[str], str]:
        """What translates one sentence by ``route``."""

        def translate(sentence: str) -> str:
            for step in route:
                call = TranslateCall(sentence, step.source, step.target)
                (sentence,) = self._engines[step.engine].translate([call])
            return sentence

        return translate

    def text(self, route: Route, text: str) -> str:
        """A whole text by ``route``: split, protected and put together by the service's plan."""
        source = Language.parse(route[0].source)
        return run_plan(text, self.walk(route), source=source)[0]


@contextmanager
def installed() -> Iterator[Engines]:
    """Every translation engine of the settings that is installed; closed at the end."""
    with ExitStack() as stack:
        loaded: dict[str, Translator] = {}
        for spec in engine_specs(Settings(), tasks={"translation"}):
            module, _, factory = spec.factory.partition(":")
            engine = getattr(import_module(module), factory)(spec.options)
            if hasattr(engine, "close"):
                stack.callback(engine.close)
            loaded[spec.name] = engine
        yield Engines(loaded)
