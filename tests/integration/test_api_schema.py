"""schemathesis over the whole OpenAPI document; ``make prove`` runs ten times as many cases."""

from __future__ import annotations

import pytest

from tests.support.schema_run import fuzz

CASES = 500
PHASES = {"examples", "coverage", "fuzzing", "stateful"}
SECURITY = {"ignored_auth", "object_level_authorization"}
ONLY_BY_TOKEN = {"DELETE /auth/token"}
"""What neither of the run's keys can do."""

ONLY_WHILE_SOMEBODY_SPEAKS = {"GET /captions/{session}"}
"""What needs a live session that is shared."""


@pytest.mark.timeout(280)
def test_no_promise_of_the_document_is_broken() -> None:
    report = fuzz(CASES)
    assert report.failures == []
    assert report.cases >= CASES
    assert report.phases.keys() == PHASES
    assert report.checks.keys() >= SECURITY
    assert set(report.unanswered) <= ONLY_BY_TOKEN | ONLY_WHILE_SOMEBODY_SPEAKS
