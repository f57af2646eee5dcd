"""Log lines and metrics: what they say, and that they never say what users said."""

import asyncio
import io
import json
import logging

import pytest
import stamina
import structlog
from prometheus_client.parser import text_string_to_metric_families

from speech_translator.observability import Metrics, configure_logging, describe_exception, logger
from speech_translator.observability.metrics import gauge

SECRET = "a user's private words"


@pytest.fixture
def lines():
    """Configured JSON logging; call to get the lines as objects."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging(log_format="json", level="info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_its_fields(lines):
    logger("speech_translator.test").info("request", status=200)
    (line,) = lines()
    assert line["event"] == "request"
    assert line["status"] == 200
    assert line["level"] == "info"
    assert line["component"] == "speech_translator.test"
    assert "timestamp" in line


def test_a_library_does_not_tell_again_of_what_has_a_line_of_ours(lines):
    with stamina.set_testing(True, attempts=2):
        for attempt in stamina.retry_context(ValueError):
            with attempt:
                if attempt.num == 1:
                    raise ValueError(SECRET)
    assert lines() == []


def test_less_severe_lines_are_dropped(lines):
    logger("x").debug("quiet")
    assert lines() == []


def test_an_exception_shows_where_it_was_raised_but_not_its_message(lines):
    def inner():
        raise ValueError(SECRET)

    try:
        try:
            inner()
        except ValueError as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError as error:
        logger("x").error("failed", exc_info=error)
    (line,) = lines()
    assert line["exception"]["type"] == "RuntimeError"
    assert line["exception"]["cause"]["type"] == "ValueError"
    assert line["exception"]["cause"]["frames"][-1].endswith("inner")
    assert SECRET not in json.dumps(line)


def test_the_standard_librarys_loggers_join_without_messages_of_exceptions(lines):
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    (line,) = lines()
    assert line["event"] == "Exception in ASGI application"
    assert line["component"] == "uvicorn.error"
    assert line["exception"]["type"] == "ValueError"
    assert SECRET not in json.dumps(line)


async def test_what_asyncio_tells_of_a_failed_callback_holds_no_values(lines):
    def fail(said):
        raise ValueError(said)

    loop = asyncio.get_running_loop()
    loop.call_soon(fail, "my secret words")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (line,) = lines()
    assert line["event"].startswith("Exception in callback test_what_asyncio")
    assert line["exception"]["type"] == "ValueError"
    assert "secret" not in str(line)


def test_configuring_twice_does_not_double_the_lines(lines):
    stream = io.StringIO()
    configure_logging(log_format="json", level="info", stream=stream)
    logging.getLogger("x").warning("once")
    assert len(stream.getvalue().splitlines()) == 1


def test_text_for_people(lines):
    stream = io.StringIO()
    configure_logging(log_format="text", level="info", stream=stream)
    logger("x").warning("careful", engine="whisper")
    assert "careful" in stream.getvalue()
    assert "whisper" in stream.getvalue()


def test_a_suppressed_context_is_not_shown():
    def fail():
        try:
            int(SECRET)
        except ValueError:
            raise KeyError("b") from None

    with pytest.raises(KeyError) as raised:
        fail()
    assert "cause" not in describe_exception(raised.value)


def families(metrics):
    return {f.name: f for f in text_string_to_metric_families(metrics.as_text().decode())}


def test_requests_are_counted_by_route_method_and_class_of_status():
    metrics = Metrics(process=False)
    metrics.request_done("/translate/text", "POST", 200, 0.02)
    metrics.request_done("/translate/text", "POST", 204, 0.02)
    metrics.request_done("/translate/text", "BREW", 418, 0.02)
    counted = {
        (s.labels["method"], s.labels["status"]): s.value
        for s in families(metrics)["speech_translator_http_requests"].samples
        if s.name.endswith("_total")
    }
    assert counted == {("POST", "2xx"): 2, ("other", "4xx"): 1}


def test_json_holds_the_same_figures_as_the_text():
    metrics = Metrics(process=False)
    metrics.request_done("/", "GET", 200, 0.02)
    metrics.batch_done("bergamot", 3, 0.001, 0.02)
    metrics.text_taken(12)
    metrics.audio("received", 2.5)
    as_json = json.loads(json.dumps(metrics.as_json()))
    for name, family in families(metrics).items():
        shown = {
            (s["name"], tuple(sorted(s["labels"].items()))): s["value"]
            for s in as_json[name]["samples"]
        }
        for sample in family.samples:
            assert shown[sample.name, tuple(sorted(sample.labels.items()))] == sample.value


def test_two_services_in_one_process_do_not_share_figures():
    first, second = Metrics(process=False), Metrics(process=False)
    first.text_taken(5)
    assert families(second)["speech_translator_characters"].samples[0].value == 0


def test_watched_figures_are_read_when_metrics_are():
    metrics, value = Metrics(process=False), [1.0]

    def read():
        family = gauge("queue", "Waiting.", ("engine",))
        family.add_metric(("a",), value[0])
        return [family]

    metrics.watch(read)
    assert families(metrics)["speech_translator_queue"].samples[0].value == 1
    value[0] = 7
    assert families(metrics)["speech_translator_queue"].samples[0].value == 7
