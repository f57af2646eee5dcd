import io
import json

import structlog

from speech_translator.api.engine_metrics import EngineEvents, HealthEvents
from speech_translator.observability import Metrics
from speech_translator.reliability.health_checks import LevelChange
from speech_translator.scalability.events import (
    BatchDone,
    CallRejected,
    EngineExited,
    EngineReady,
    Quarantined,
)


def test_events_of_the_broker_are_counted_and_the_rare_ones_logged():
    metrics, stream = Metrics(process=False), io.StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    listen = EngineEvents(metrics)
    listen(EngineReady("bergamot", 0, 1.5))
    listen(BatchDone("bergamot", 4, 0.01, 0.02))
    listen(EngineExited("bergamot", 0, "crashed", 3))
    listen(Quarantined("bergamot", "ab12"))
    listen(CallRejected("bergamot", "overloaded"))
    structlog.reset_defaults()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("engine_ready", "info"),
        ("engine_exited", "warning"),
        ("quarantined", "warning"),
    ]
    assert lines[1]["reason"] == "crashed"

    figures = metrics.as_json()
    events = {
        sample["labels"]["event"]: sample["value"]
        for sample in figures["speech_translator_engine_events"]["samples"]
    }
    assert events == {
        "engine_ready": 1, "engine_exited": 1, "quarantined": 1, "call_rejected": 1,
    }  # fmt: skip
    sizes = figures["speech_translator_engine_batch_size"]["samples"]
    assert next(s["value"] for s in sizes if s["name"].endswith("_sum")) == 4


def test_a_line_is_written_for_each_change_that_means_something():
    with structlog.testing.capture_logs() as lines:
        told = HealthEvents()
        for before, after in (
            ("unknown", "ok"),
            ("ok", "unknown"),
            ("unknown", "failed"),
            ("failed", "ok"),
            ("ok", "warning"),
        ):
            told(LevelChange("redis", before, after, "why"))
    assert [(line["log_level"], line["before"], line["after"]) for line in lines] == [
        ("warning", "unknown", "failed"),
        ("info", "failed", "ok"),
        ("warning", "ok", "warning"),
    ]
