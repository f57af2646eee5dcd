"""What the service says of itself: log lines and metrics. Neither ever holds a user's text."""

from speech_translator.observability.logging import configure_logging, describe_exception, logger
from speech_translator.observability.metrics import Metrics

__all__ = ["Metrics", "configure_logging", "describe_exception", "logger"]
