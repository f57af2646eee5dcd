"""A translator behind a server of OpenAI's protocol: the real engine process, and real faults."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from speech_translator.engines.openai_client import Client, Endpoint, ServerConfig
from speech_translator.engines.registry import engine_specs
from speech_translator.errors import (
    AnswerRejected,
    ConfigurationError,
    EngineFailed,
    EngineUnavailable,
)
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext, Translation
from speech_translator.services import Services, open_services
from speech_translator.settings import Settings
from tests.support.openai_server import (
    KEY,
    Answer,
    OpenAiServer,
    Request,
    chat,
    error,
    model,
    openai_server,
    translated,
)

TEXT = "The meeting starts tomorrow."
EN, PT, DE = (Language.parse(code) for code in ("en", "pt", "de"))


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with openai_server() as running:
        running.handlers["chat/completions"] = model
        yield running


def settings(server: OpenAiServer, *chain: str, **changes: object) -> Settings:
    return Settings(
        **{
            "translators": chain or ("openai",),
            "openai_url": server.url,
            "openai_api_key": KEY,
            "openai_translation_model": "a-model",
            "engine_call_timeout_s": 5.0,
            **changes,
        }
    )


@asynccontextmanager
async def services(wanted: Settings) -> AsyncIterator[Services]:
    async with open_services(wanted, tasks=["translation"], decode=False) as opened:
        async with asyncio.timeout(60):
            while any(s.state == "starting" for s in opened.broker.status().values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield opened


async def ask(
    opened: Services,
    text: str = TEXT,
    *,
    target: Language = PT,
    glossary: dict[str, str] | None = None,
) -> Translation:
    context = RequestContext(Deadline.after(60), use_cache=False)
    (answer,) = await opened.translator.translate(
        [text], source=EN, target=target, context=context, glossary=glossary
    )
    return answer


async def test_a_text_is_translated_with_its_terms_and_what_was_said_before(
    server: OpenAiServer,
) -> None:
    text = "The database is slow. Restart the database, see https://example.org/a?b=c now."
    async with services(settings(server)) as opened:
        answer = await ask(opened, text, target=DE, glossary={"database": "Datenbank"})
    assert answer.route == ("openai:en-de",)
    assert answer.text.count("Datenbank") == 2
    assert "https://example.org/a?b=c" in answer.text
    first, second = sorted(
        (request.json()["messages"][-1]["content"] for request in server.requests), key=len
    )
    assert "= Datenbank" in first
    assert "<context>" not in first
    assert "<context>\nThe database is slow.\n</context>" in second
    assert "example.org" not in second  # a marker stands for it
    body = server.requests[0].json()
    assert (body["model"], body["temperature"], body["stream"]) == ("a-model", 0, False)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_what_a_server_does_not_take_is_not_sent_again(server: OpenAiServer) -> None:
    def picky(request: Request) -> Answer:
        body = request.json()
        for name in ("temperature", "max_tokens"):
            if name in body:
                return error(400, f"Unsupported parameter: '{name}'.", name)
        return model(request)

    server.handlers["chat/completions"] = picky
    async with services(settings(server)) as opened:
        assert (await ask(opened)).text == translated(TEXT)
        asked = len(server.requests)
        await ask(opened, "This is another sentence.")
    assert asked == 3
    assert len(server.requests) == 4


async def test_an_answer_that_is_no_translation_is_asked_for_once_more(
    server: OpenAiServer,
) -> None:
    server.faults = [chat("I'm sorry, but I can't assist with that.")]
    async with services(settings(server)) as opened:
        assert (await ask(opened)).text == translated(TEXT)
    assert "because it was a refusal" in server.requests[1].json()["messages"][0]["content"]


@pytest.mark.parametrize(
    "refusal",
    [
        chat("I'm sorry, but I can't assist with that."),
        chat(None, refusal="No."),
        chat("A reunião", finish_reason="length"),
    ],
)
async def test_the_next_engine_answers_where_the_model_will_not(
    server: OpenAiServer, refusal: Answer
) -> None:
    server.handlers["chat/completions"] = lambda _request: refusal
    async with services(settings(server, "openai", "bergamot")) as opened:
        answer = await ask(opened)
    assert (answer.route, answer.degraded) == (("bergamot:en-pt",), True)
    assert "reunião" in answer.text
    assert len(server.requests) == 2


FAULTS = {
    "busy, then well": ([error(429, "Slow down.", Retry_After="0"), error(503, "Busy.")], None),
    "cut, then well": ([Answer(b"x" * 100, cut_after=10)], None),
    "unwell": ([error(500, "Oops.")], EngineFailed),
    "a key that is wrong": ([error(401, "No.")], EngineUnavailable),
    "a model that is not there": ([error(404, "No such model.")], EngineUnavailable),
    "busy for long": ([error(429, "Slow down.", Retry_After="3600")], EngineUnavailable),
    "cut each time": ([Answer(b"x" * 100, cut_after=10)] * 9, EngineUnavailable),
    "no JSON": ([Answer(b"<html>")], EngineFailed),
    "deep JSON": ([Answer(b"[" * 200_000)], EngineFailed),
    "no message": ([Answer({"choices": []})], EngineFailed),
    "too much": ([Answer(b" " * 3_000_000)], EngineFailed),
    "packed": ([Answer(b"{}", headers={"Content-Encoding": "gzip"})], EngineFailed),
    "a redirect": ([Answer(status=302, headers={"Location": "/v1/elsewhere"})], EngineFailed),
    "a refused field": ([error(400, "Bad.", "messages")], EngineFailed),
    "a byte a second": ([Answer(b" " * 1000, drip_s=1.0)], EngineFailed),
    "twice no translation": ([chat("")] * 2, AnswerRejected),
}


def asked_times(expected: type[Exception] | None) -> int:
    """A server that fails is asked once more."""
    return 2 if expected is EngineFailed else 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_ordinary_errors(
    server: OpenAiServer, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    faults, expected = FAULTS[fault]
    server.faults = faults * asked_times(expected)
    async with services(settings(server)) as opened:
        before = opened.broker.status()["openai"]
        if expected is None:
            assert (await ask(opened)).text == translated(TEXT)
        else:
            with pytest.raises(expected) as caught:
                await ask(opened)
            assert type(caught.value) is expected
            assert KEY not in f"{caught.value!r}"
            assert TEXT not in caught.value.message
        server.faults.clear()
        assert (await ask(opened)).text == translated(TEXT)  # the input is no suspect
        after = opened.broker.status()["openai"]
        assert (after.restarts, after.pids) == (0, before.pids)
    assert all(request.path == "/v1/chat/completions" for request in server.requests)
    printed = "".join(capfd.readouterr())
    assert KEY not in printed
    assert TEXT not in printed


async def test_a_redirect_takes_no_text_elsewhere(server: OpenAiServer) -> None:
    with openai_server() as elsewhere:
        location = {"Location": f"{elsewhere.url}/chat/completions"}
        server.faults = [Answer(status=307, headers=location)] * 2
        async with services(settings(server)) as opened:
            with pytest.raises(EngineFailed):
                await ask(opened)
    assert elsewhere.requests == []


async def test_a_server_that_is_not_there_is_told_and_may_come_later() -> None:
    with openai_server() as server:
        wanted = settings(server)
    async with services(wanted) as opened:
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await ask(opened)


def test_a_field_that_two_requests_find_refused_at_once_fails_neither(
    server: OpenAiServer,
) -> None:
    both_sent_it = threading.Barrier(2)

    def handler(request: Request) -> Answer:
        if "speed" in request.json():
            both_sent_it.wait(10)
            return error(400, "No such field.", "speed")
        return Answer(request.json())

    server.handlers["audio/speech"] = handler
    client = Client(ServerConfig(server.url, KEY))
    endpoint = Endpoint(client, "audio/speech", ["speed"])

    async def ask() -> object:
        fields = {"input": "Hi.", "speed": 2}
        return (await endpoint.post(fields, lambda sent: {"json": sent})).json()

    async def twice() -> list[object]:
        return list(await asyncio.gather(ask(), ask()))

    try:
        assert client.run(twice) == [{"input": "Hi."}] * 2
    finally:
        client.close()


async def test_many_sentences_are_asked_for_side_by_side(server: OpenAiServer) -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(40))
    async with services(settings(server, openai_concurrency=4)) as opened:
        answer = await ask(opened, text)
    assert re.findall(r"\d+", answer.text) == [str(number) for number in range(40)]
    assert len(server.requests) == 40


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"openai_url": ""}, "OPENAI_URL"),
        ({"openai_translation_model": ""}, "OPENAI_TRANSLATION_MODEL"),
        ({"openai_languages": ("en", "xx")}, "OPENAI_LANGUAGES"),
        ({"openai_languages": ()}, "OPENAI_LANGUAGES"),
    ],
)
def test_what_is_missing_is_named(
    server: OpenAiServer, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        engine_specs(settings(server, **changes))


def test_the_key_is_in_no_repr(server: OpenAiServer) -> None:
    wanted = settings(server)
    specs = engine_specs(wanted, ["translation"])
    assert KEY not in f"{wanted!r} {specs!r}"
    assert specs[0].secrets == {"api_key": KEY}
