"""Deadlines, and the places where breakers and retries guard a call."""

from speech_translator.reliability.deadlines import Deadline
from speech_translator.reliability.guards import Breaker, NullBreaker, NullRetry, Retry

__all__ = ["Breaker", "Deadline", "NullBreaker", "NullRetry", "Retry"]
