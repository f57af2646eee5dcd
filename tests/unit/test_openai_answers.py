"""What is read from the errors of OpenAI-compatible servers."""

import httpx2
import pytest

from speech_translator.engines.openai_answers import refused_field, retry_after

NOON = "Mon, 02 Nov 2026 12:00:00 GMT"
LATER = "Mon, 02 Nov 2026 12:00:07 GMT"
YEARS_AGO = "Fri, 02 Nov 2001 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": LATER, "Date": NOON}, 7.0),
        ({"Retry-After": NOON, "Date": LATER}, 0.0),
        ({"Retry-After": YEARS_AGO}, 0.0),
        ({"Retry-After": YEARS_AGO, "Date": "today"}, 0.0),
    ],
)
def test_the_pause_that_a_server_asks_for(headers, seconds) -> None:
    assert retry_after(httpx2.Response(503, headers=headers)) == seconds


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"error": {"param": "temperature"}}', "temperature"),
        (b'{"error": {"message": "max_tokens is not supported"}}', "max_tokens"),
        (b'{"message": "no speed here"}', "speed"),
        (b'{"error": "No."}', ""),
        (b"<html>", ""),
        (b"[" * 100_000, ""),
        (None, ""),
    ],
)
def test_the_field_that_a_server_refuses(body, field) -> None:
    assert refused_field(body) == field
