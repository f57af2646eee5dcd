"""The mapping of the error tree to the wire."""

import json

import pytest

from speech_translator import errors
from speech_translator.problems import (
    close_code_of,
    problem_response,
    retry_after_of,
    status_of,
)


def every_error() -> list[type[errors.SpeechTranslatorError]]:
    found, left = [], [errors.SpeechTranslatorError]
    while left:
        found.append(left.pop())
        left += found[-1].__subclasses__()
    return [error for error in found if error.__module__ == errors.__name__]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_every_error_has_a_status_and_a_close_code(error):
    raised = error("Do something else.")
    if isinstance(raised, errors.InvalidRequest):
        assert 400 <= status_of(raised) < 500
        assert close_code_of(raised) in {1008, 1009}
    else:
        assert 500 <= status_of(raised) < 600
        assert close_code_of(raised) in {1011, 1012, 1013}


def test_a_problem_holds_code_request_id_and_details():
    error = errors.UnknownLanguage("No such language.", close_matches=["en"])
    answer = problem_response(error, "abc")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body) == {
        "type": "urn:speech-translator:error:unknown_language",
        "title": "Unknown language",
        "status": 422,
        "detail": "No such language.",
        "code": "unknown_language",
        "request_id": "abc",
        "close_matches": ["en"],
    }


def test_details_cannot_replace_the_members_of_a_problem():
    error = errors.InvalidRequest("No.", status=200, code="fine")
    assert json.loads(problem_response(error, "abc").body)["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.Overloaded("Full."), 1),
        (errors.Overloaded("Full.", retry_after=2.1), 3),
        (errors.EngineUnavailable("Loading."), 2),
        (errors.DeadlineExceeded("Late."), None),
        (errors.EmptyText("Empty."), None),
    ],
)
def test_retry_after_is_whole_seconds_where_a_retry_makes_sense(error, seconds):
    assert retry_after_of(error) == seconds
    header = problem_response(error, "abc").headers.get("retry-after")
    assert header == (None if seconds is None else str(seconds))
