"""Until when a request is worth an answer: what its client says, its tier and the service allow."""

from __future__ import annotations

import pytest

from tests.support.api import running

TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}


@pytest.fixture
async def api(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text("[free]\nrequest_seconds = 30\n")
    async with running(
        anonymous_tier="free", tiers_file=file, request_timeout_s=40, audio_request_timeout_s=90
    ) as harness:
        yield harness


def watched(harness):
    """Seconds that each call had left when it came to the broker."""
    left, submit = [], harness.broker.submit

    async def submitted(engine, call, *, deadline, **rest):
        left.append(deadline.remaining())
        return await submit(engine, call, deadline=deadline, **rest)

    harness.broker.submit = submitted
    return left


@pytest.mark.parametrize(
    ("headers", "at_most"),
    [({}, 30), ({"X-Request-Timeout": "12.5"}, 12.5), ({"X-Request-Timeout": "1e9"}, 30)],
)
@pytest.mark.parametrize(
    ("path", "body"),
    [("/translate/text", TEXT), ("/translate", {"q": "Hello.", "source": "en", "target": "pt"})],
)
async def test_a_text_has_the_shortest_of_them(api, path, body, headers, at_most):
    left = watched(api)
    answer = await api.client.post(path, json=body, headers=headers)
    assert answer.status_code == 200
    assert left
    assert all(at_most - 10 < seconds <= at_most for seconds in left)


async def test_the_service_stands_over_the_tier(tmp_path):
    async with running(anonymous_tier="admin", request_timeout_s=40) as harness:
        left = watched(harness)
        await harness.client.post("/translate/text", json=TEXT)
        assert all(30 < seconds <= 40 for seconds in left)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "", "-inf", "1,5"])
async def test_what_is_no_time_is_refused(api, text):
    headers = {"X-Request-Timeout": text}
    answer = await api.client.post("/translate/text", json=TEXT, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "X-Request-Timeout")


@pytest.mark.parametrize(("headers", "at_most"), [({}, 92), ({"X-Request-Timeout": "15"}, 15)])
async def test_a_recording_has_its_own_length_besides(api, headers, at_most):
    left = watched(api)
    answer = await api.client.post(
        "/transcribe/audio", files={"file": ("a.wav", b"RIFF" + bytes(64))}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    assert left
    assert all(at_most - 12 < seconds <= at_most for seconds in left)


async def test_work_whose_time_is_over_is_not_begun(api):
    headers = {"X-Request-Timeout": "0.0000001"}
    answer = await api.client.post("/translate/text", json=TEXT, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
