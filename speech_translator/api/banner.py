"""What a person sees at the start: where it runs, what it can do, and what to try first."""

from __future__ import annotations

from collections.abc import Mapping

from speech_translator.engines.registry import left_out
from speech_translator.engines.values import Task
from speech_translator.scalability.broker import EngineStatus
from speech_translator.settings import Settings

_TASK_NAMES: Mapping[str, str] = {
    "recognition": "speech to text",
    "translation": "text to text",
    "synthesis": "text to speech",
    "voice_activity": "finding speech",
}
_MARKS: Mapping[str, str] = {"ready": "+", "missing": "-", "failed": "!"}


def listening_lines(url: str) -> list[str]:
    """Shown as soon as the server listens; the models are still loading."""
    return [f"speech-translator listens on {url}", "Loading the models ..."]


def engine_lines(
    settings: Settings, url: str, tasks: Mapping[str, Task], states: Mapping[str, EngineStatus]
) -> list[str]:
    """Shown once every engine has started or given up."""
    lines = []
    for name, task in tasks.items():
        status = states.get(name)
        state = status.state if status else "missing"
        line = f"  {_MARKS.get(state, '~')} {name:<10} {_TASK_NAMES.get(task, task):<16} {state}"
        if status and status.message and state != "ready":
            line += f": {status.message}"
        lines.append(line)
    lines += [
        f"  - {card.engine:<10} {_TASK_NAMES['translation']:<16} not installed. Run: {card.install}"
        for card in left_out(settings, tasks)
    ]
    body = '{"text":"Good morning, how are you?","source_language":"en","target_language":"pt"}'
    key = "" if settings.anonymous_tier else '-H "X-API-Key: YOUR_KEY" '
    return [
        "Engines:",
        *lines,
        "Try:",
        *_key_lines(settings, url),
        f"  curl {url}/translate/text {key}-d '{body}'",
        f"  or open {url} and {url}/docs in a browser.",
    ]


def _key_lines(settings: Settings, url: str) -> list[str]:
    """How to get a key, where one is needed."""
    if settings.anonymous_tier:
        return []
    if settings.environment == "production":
        return ["  speech-translator keys create NAME --tier pro"]
    return [f'  curl {url}/auth/api-key -d \'{{"user_id":"me","tier":"pro"}}\'']
