"""What a person sees at the start: where it runs, what it can do, and what to try first."""

from __future__ import annotations

from collections.abc import Mapping

from speech_translator.engines.values import Task
from speech_translator.scalability.broker import EngineStatus

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
    url: str, tasks: Mapping[str, Task], states: Mapping[str, EngineStatus]
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
    body = '{"text":"Good morning, how are you?","source_language":"en","target_language":"pt"}'
    return [
        "Engines:",
        *lines,
        "Try:",
        f"  curl {url}/translate/text -d '{body}'",
        f"  or open {url} and {url}/docs in a browser.",
    ]
