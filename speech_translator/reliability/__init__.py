"""Deadlines, circuit breakers and retries around any call, for async code and for threads."""

from speech_translator.reliability.breaker_machine import BreakerConfig
from speech_translator.reliability.breaker_registry import CircuitBreakerRegistry
from speech_translator.reliability.breaker_sharing import Sharing
from speech_translator.reliability.circuit_breaker import (
    BreakerSnapshot,
    CircuitBreaker,
    StateChange,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.reliability.retry_handler import RetryConfig, RetryHandler

__all__ = [
    "BreakerConfig",
    "BreakerSnapshot",
    "CircuitBreaker",
    "CircuitBreakerRegistry",
    "Deadline",
    "RetryConfig",
    "RetryHandler",
    "Sharing",
    "StateChange",
]
