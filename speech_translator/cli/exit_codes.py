"""What the exit code of a command means: the one place that maps the error tree to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from speech_translator import errors
from speech_translator.errors import SpeechTranslatorError


class ExitCode(IntEnum):
    """Exit codes; those above 128 are the shell's own for a program that a signal ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID_INPUT = 3
    UNAVAILABLE = 4
    CONFIGURATION = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "everything was done",
    ExitCode.FAILED: "some of several inputs failed, or an internal error",
    ExitCode.USAGE: "the command was not understood",
    ExitCode.INVALID_INPUT: "the input cannot be used: text, audio, language, pair, voice",
    ExitCode.UNAVAILABLE: "an engine failed, timed out or could not start",
    ExitCode.CONFIGURATION: "a setting is wrong, or a model is missing; see doctor",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.PIPE_CLOSED: "the reader of the output went away",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}

_CODES: Mapping[type[SpeechTranslatorError], ExitCode] = {
    SpeechTranslatorError: ExitCode.FAILED,
    errors.ConfigurationError: ExitCode.CONFIGURATION,
    errors.InvalidRequest: ExitCode.INVALID_INPUT,
    errors.Unavailable: ExitCode.UNAVAILABLE,
}


def exit_code_of(error: SpeechTranslatorError) -> ExitCode:
    """The code of an error; a class that is not named takes that of its nearest parent."""
    return next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)


def exit_code_of_run(inputs: int, failures: Sequence[SpeechTranslatorError]) -> ExitCode:
    """The code after ``inputs`` were worked on one by one.

    When all failed it is that of the first failure, so that one input gives its own code.
    """
    if not failures:
        return ExitCode.OK
    return exit_code_of(failures[0]) if len(failures) == inputs else ExitCode.FAILED


def epilog() -> str:
    """The codes as help text, a line each."""
    lines = [f"{code.value}: {meaning}." for code, meaning in MEANINGS.items()]
    return "\n\n".join(["Exit codes:", *lines])
