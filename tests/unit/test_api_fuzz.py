"""Whatever the bytes, an answer is a 200 or a problem of the caller's, and it quotes nothing."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from speech_translator.api.middleware.boundary import Boundary, BoundaryConfig
from speech_translator.api.negotiation import preferred_type
from speech_translator.errors import InvalidRequest
from tests.support.api import running
from tests.unit.test_api_bodies import END, FILE, form, part, upload

MARK = "qzxjvk"

anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "text": anything | st.just("Hello there") | st.just(["Hello there", "🙂"]),
        "target_language": anything | st.sampled_from(["pt", "en", "auto", "xx", MARK]),
        "source_language": anything | st.sampled_from(["en", "auto", "pt-BR", MARK]),
        "format": anything | st.sampled_from(["text", "html"]),
        "glossary": anything
        | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
        MARK: anything,
    },
)
bodies = st.binary(max_size=200) | st.builds(
    lambda body, cut: json.dumps(body).encode("utf-8", "surrogatepass")[: cut or None],
    fields | anything,
    st.just(0) | st.integers(1, 60),
)


@pytest.fixture
async def api():
    async with running() as harness:
        yield harness


once = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@once
@given(body=bodies)
async def test_no_body_breaks_the_text_route(api, body):
    answer = await api.client.post(
        "/translate/text", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in {200, 400, 422}, body
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert MARK not in answer.text


mutations = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=6)), max_size=6
)


@once
@given(changes=mutations, step=st.integers(1, 90))
async def test_no_form_breaks_the_parser(tmp_path, changes, step):
    body = bytearray(part("target_language", MARK.encode()) + FILE + END)
    for place, length, replacement in changes:
        body[place : place + length] = replacement
    said = ""
    try:
        await upload(tmp_path, form(bytes(body), step=step))
    except InvalidRequest as error:
        said = error.message
    assert MARK not in said
    assert list(tmp_path.iterdir()) == []


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
def test_any_accept_header_has_an_answer(accept):
    headers = Headers({"accept": accept})
    assert preferred_type(headers, ("a/b", "c/d"), default="a/b") in {"a/b", "c/d"}


@given(
    host=st.text(alphabet="localhst127.0[]:@/%?# evil", max_size=24),
    origin=st.none() | st.text(alphabet="htps:/localhst127.0[]@%", max_size=24),
)
async def test_only_our_names_pass_the_boundary(host, origin):
    passed = []

    async def app(scope, receive, send):
        passed.append(scope)

    async def send(message):
        pass

    headers = [(b"host", host.encode())] + (
        [] if origin is None else [(b"origin", origin.encode())]
    )
    boundary = Boundary(app, BoundaryConfig(frozenset({"localhost", "127.0.0.1"})))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "headers": headers,
        "path": "/",
    }
    await boundary(scope, None, send)
    if passed:
        name = host.lower().split(":")[0].rstrip(".")
        assert name in {"localhost", "127.0.0.1"}
