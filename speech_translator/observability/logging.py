"""Structured log lines, as JSON or for people; the standard library's loggers join them.

A line holds an event name and fields: ids, routes, counts, durations. User text has no place in
it, so exceptions are shown as their type and their frames, never with their message, which often
quotes the value that it complains about.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal, TextIO

import orjson
import structlog

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "text"]
Event = MutableMapping[str, Any]

MAX_FRAMES = 20
"""Innermost frames of a traceback that are logged."""

_ROOT = Path(__file__).resolve().parent.parent.parent


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger for one part of the product, by its dotted name."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return bound


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Type and frames of an exception and of what caused it, without any message.

    Returns:
        ``type`` (dotted name), ``frames`` (``file:line function``, innermost last) and, where
        there is one, ``cause`` of the same shape.
    """
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "frames": [f"{_shown(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = describe_exception(cause)
    return described


def _shown(filename: str) -> str:
    """A source file relative to the product or to its library's directory."""
    path = Path(filename)
    if path.is_relative_to(_ROOT):
        return str(path.relative_to(_ROOT)).rpartition("site-packages/")[2]
    return filename.rpartition("site-packages/")[2]


def _safe_exception(_logger: Any, _method: str, event: Event) -> Event:
    """Replace ``exc_info`` by a description that holds no message."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, tuple):
        info = info[1]
    if isinstance(info, BaseException):
        event["exception"] = describe_exception(info)
    return event


def _not_told_twice(_logger: Any, _method: str, event: Event) -> Event:
    """Drop stamina's own line of a retry: we have one, and this quotes the error's words."""
    if event.get("event") == "stamina.retry_scheduled":
        raise structlog.DropEvent
    return event


def _json_line(_logger: Any, _method: str, event: Event) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(
    *, log_format: LogFormat, level: LogLevel, stream: TextIO | None = None
) -> None:
    """Send our log lines and the standard library's to one stream, in one format.

    Args:
        log_format: one JSON object a line, or aligned text for people.
        level: the least severe level that is written.
        stream: where to; standard error by default.
    """
    target = stream or sys.stderr
    threshold = logging.getLevelName(level.upper())
    render = (
        _json_line
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=24)
    )
    structlog.configure(
        processors=[
            _not_told_twice,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=log_format == "json"),
            _safe_exception,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _StandardLibraryBridge)]:
        root.removeHandler(handler)
    root.addHandler(_StandardLibraryBridge())
    root.setLevel(max(threshold, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # The line "GET /x 200" is ours, with the route's template instead of the path.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
    # It tells of every step of its start; the banner and the events below say it better.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # At its info level it tells what it parses of every upload.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


class _StandardLibraryBridge(logging.Handler):
    """Hands records of the standard library's loggers to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one of our lines."""
        try:
            text = record.getMessage().strip()
            if record.name == "asyncio":
                # It goes on with the objects it speaks of, and those with what they hold.
                text = text.partition("\n")[0].partition("(")[0].partition("<")[0].strip()
            logger(record.name).log(record.levelno, text, exc_info=record.exc_info or None)
        except (ValueError, OSError, TypeError):  # a closed stream, or a malformed record
            self.handleError(record)
