"""What a stranger can make the service read and look up: nothing."""

import pytest

from speech_translator.security.guard import Guard
from tests.support.api import running

ROUTES = {"/translate/text": 3_000, "/transcribe/audio": 3_000_000, "/translate/speech": 3_000_000,
          "/auth/api-key/x/rotate": 3_000}  # fmt: skip
FORM = "multipart/form-data; boundary=b"


@pytest.fixture
async def api(tmp_path):
    limits = {"max_body_bytes": 2_000, "max_upload_bytes": 1_000_000}
    async with running(data_dir=tmp_path, anonymous_tier=None, **limits) as harness:
        yield harness


async def unread():
    raise AssertionError("the body was read")
    yield b""


async def send(harness, path, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {
        "content-type": FORM if "transcribe" in path or "speech" in path else "application/json"
    }
    return await harness.client.post(path, content=unread(), headers={**kind, **named})


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("key", [{}, {"x_api_key": "st_live_a_b_c"}])
async def test_a_body_that_says_it_is_too_large_is_refused_before_its_key(
    api, monkeypatch, path, key
):
    async def look_up(*_args):
        raise AssertionError("a key was looked up")

    monkeypatch.setattr(Guard, "admit", look_up)
    answer = await send(api, path, content_length=str(ROUTES[path]), **key)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert "connection" not in answer.headers  # the rest runs out, and the answer arrives


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("key", [{}, {"x_api_key": "st_live_a_b_c"}])
@pytest.mark.parametrize("length", [{"content_length": "100"}, {"transfer_encoding": "chunked"}])
async def test_nothing_of_a_body_is_read_before_its_key_is_known(api, path, key, length):
    answer = await send(api, path, **key, **length)
    assert answer.status_code == 401
