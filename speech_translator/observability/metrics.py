"""Figures of the service for Prometheus, over a registry that is injected.

Labels are bounded: route templates, methods and status classes from fixed sets, engine names from
the configuration. Users, keys, addresses and texts are never labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

PREFIX = "speech_translator_"
TEXT_CONTENT_TYPE = CONTENT_TYPE_LATEST
UNMATCHED = "unmatched"
"""Route label of requests that no route took."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_ENGINE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)

AudioKind = Literal["received", "spoken"]


class Metrics:
    """Counters, histograms and gauges of one service.

    Args:
        registry: where they are registered; a new one by default.
        process: whether this process's CPU, memory and files are shown too.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, process: bool = True) -> None:
        # They are a second series for each, which nothing here needs.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        if process:
            ProcessCollector(registry=self.registry)
        self._requests = self._counter(
            "http_requests", "HTTP requests answered.", "route", "method", "status"
        )
        self._errors = self._counter("errors", "Answers with an error, by its code.", "code")
        self._request_seconds = self._histogram(
            "http_request_seconds",
            "Time from the head of a request to the end of its answer.",
            _REQUEST_SECONDS,
            "route",
        )
        self.in_flight = Gauge(
            f"{PREFIX}http_requests_in_flight", "HTTP requests under way.", registry=self.registry
        )
        self._batch_size = self._histogram(
            "engine_batch_size", "Calls in one batch.", _BATCH_SIZES, "engine"
        )
        self._queue_wait = self._histogram(
            "engine_queue_wait_seconds", "Wait of a call for its engine.", _ENGINE_SECONDS, "engine"
        )
        self._engine_seconds = self._histogram(
            "engine_batch_seconds", "Time of one batch in its engine.", _ENGINE_SECONDS, "engine"
        )
        self._engine_events = self._counter(
            "engine_events", "What befell the engine processes.", "engine", "event"
        )
        self._breaker_changes = self._counter(
            "breaker_changes", "Times that a circuit breaker came into a state.", "breaker", "state"
        )
        self._characters = self._counter("characters", "Characters of text taken in.")
        self._audio_seconds = self._counter(
            "audio_seconds", "Seconds of audio received or spoken.", "kind"
        )
        self._shared_up = Gauge(
            f"{PREFIX}shared_store_up",
            "1 while what replicas share can be reached.",
            ("part",),
            registry=self.registry,
        )
        self._shared_alone = self._counter(
            "shared_store_alone",
            "What this replica decided or did alone, because the shared store was away.",
            "part",
        )
        self._usage_events = self._counter(
            "usage_journal", "Steps of the usage journal, and its failures.", "event"
        )
        self._usage_unknown = self._counter(
            "quota_unknown", "Debits judged while the database did not say what was used."
        )
        self._old_keys = Gauge(
            f"{PREFIX}api_keys_over_age",
            "Valid API keys that are older than KEY_MAX_AGE_DAYS.",
            registry=self.registry,
        )
        self._http_children = lru_cache(maxsize=4096)(self._http_labels)
        self._engine_children = lru_cache(maxsize=256)(self._engine_labels)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}{name}", text, labels, registry=self.registry, buckets=buckets)

    def _http_labels(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        known = method if method in _METHODS else "other"
        return (
            self._requests.labels(route, known, f"{status // 100}xx"),
            self._request_seconds.labels(route),
        )

    def _engine_labels(self, engine: str) -> tuple[Histogram, Histogram, Histogram]:
        return (
            self._batch_size.labels(engine),
            self._queue_wait.labels(engine),
            self._engine_seconds.labels(engine),
        )

    def request_done(self, route: str, method: str, status: int, seconds: float) -> None:
        """One HTTP request; ``route`` is its template or ``UNMATCHED``, ``status`` the code."""
        requests, request_seconds = self._http_children(route, method, status // 100 * 100)
        requests.inc()
        request_seconds.observe(seconds)

    def error(self, code: str) -> None:
        """A request was answered with an error, or a socket refused; codes are a fixed set."""
        self._errors.labels(code).inc()

    def batch_done(self, engine: str, size: int, queue_wait_s: float, seconds: float) -> None:
        """One batch of ``size`` calls; ``queue_wait_s`` is the longest wait in it."""
        sizes, waits, times = self._engine_children(engine)
        sizes.observe(size)
        waits.observe(queue_wait_s)
        times.observe(seconds)

    def engine_event(self, engine: str, event: str) -> None:
        """Something befell an engine process; ``event`` comes from a fixed set of type names."""
        self._engine_events.labels(engine, event).inc()

    def breaker_change(self, breaker: str, state: str) -> None:
        """A circuit breaker came into a state; both are from fixed sets."""
        self._breaker_changes.labels(breaker, state).inc()

    def text_taken(self, characters: int) -> None:
        """Characters of text that were taken in for translation."""
        self._characters.inc(characters)

    def audio(self, kind: AudioKind, seconds: float) -> None:
        """Seconds of audio that were received or spoken."""
        self._audio_seconds.labels(kind).inc(seconds)

    def shared_store(self, part: str, *, up: bool) -> None:
        """Whether a part of what replicas share can be reached; ``part`` is from a fixed set."""
        self._shared_up.labels(part).set(up)

    def done_alone(self, part: str) -> None:
        """Something that would have been decided or told by the shared store was done without."""
        self._shared_alone.labels(part).inc()

    def usage_event(self, event: str) -> None:
        """The usage journal did something; ``event`` comes from a fixed set."""
        self._usage_events.labels(event).inc()

    def usage_unknown(self) -> None:
        """A quota was judged without the database."""
        self._usage_unknown.inc()

    def old_keys(self, count: int) -> None:
        """Valid keys that are older than they should be, at the last count."""
        self._old_keys.set(count)

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add figures that are read when the metrics are: states, queues, sizes."""
        self.registry.register(_OnRead(read))

    def as_text(self) -> bytes:
        """Prometheus's text format; its content type is ``TEXT_CONTENT_TYPE``."""
        return generate_latest(self.registry)

    def as_json(self) -> dict[str, Any]:
        """The same figures: ``{name: {type, help, samples: [{name, labels, value}]}}``."""
        return {
            family.name: {
                "type": family.type,
                "help": family.documentation,
                "samples": [
                    {"name": sample.name, "labels": sample.labels, "value": sample.value}
                    for sample in family.samples
                ],
            }
            for family in self.registry.collect()
        }


def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    """An empty gauge of the product for ``Metrics.watch``; fill it by ``add_metric``."""
    return GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)


def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    """An empty counter of the product for ``Metrics.watch``; fill it by ``add_metric``."""
    return CounterMetricFamily(f"{PREFIX}{name}", text, labels=labels)


class _OnRead(Collector):
    """A collector over a function."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Read the figures now."""
        return self._read()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is read, and nothing is read at registration."""
        return ()
