"""OpenAI's realtime translation from a browser: a secret as a subprotocol, and whose page it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.served import serve_files
from tests.support.server import Server, start_server

PATH = "/v1/realtime/translations"
NO_LIMITS = "connect-src *"
TALK = """
async ([url, secret, sound]) => {
  const socket = new WebSocket(url, ["realtime", "openai-insecure-api-key." + secret]);
  const told = [];
  return await new Promise((done) => {
    socket.onmessage = ({data}) => {
      const event = JSON.parse(data);
      told.push(event.type === "session.output_transcript.delta" ? event.delta : event.type);
      if (event.type === "session.created") {
        socket.send(JSON.stringify({
          type: "session.update", session: {audio: {output: {language: "pt"}}},
        }));
        const audio = btoa(String.fromCharCode(...new Uint8Array(sound)));
        socket.send(JSON.stringify({type: "session.input_audio_buffer.append", audio}));
        socket.send(JSON.stringify({type: "session.close"}));
      }
    };
    socket.onclose = ({code}) => done([socket.protocol, code, told]);
  });
}
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of another site's page."""
    with serve_files(NO_LIMITS) as address:
        yield address


@pytest.fixture(scope="module")
def service(elsewhere: str) -> Iterator[Server]:
    """One that lets that page ask."""
    named = {"CORS_ORIGINS": json.dumps([elsewhere.rstrip("/")])}
    with start_server(named, arguments=("-m", "tests.support.scripted_service")) as running:
        yield running


def secret_of(server: Server) -> str:
    session = {"model": "m", "audio": {"output": {"language": "en"}}}
    with server.client() as client:
        made = client.post(f"{PATH}/client_secrets", json={"session": session})
    return str(made.json()["value"])


def talk(page: Page, server: Server, secret: str) -> list[object]:
    """Protocol, close code and what was told, of a second of speech."""
    sound = np.tile(np.frombuffer(np.int16(8000).tobytes(), np.uint8), 24_000).tolist()
    return list(page.evaluate(TALK, [server.socket_url + PATH, secret, sound]))


@pytest.mark.parametrize("where", ["our own page", "another site's"])
def test_a_page_translates_by_a_client_secret(
    browser: Browser, service: Server, elsewhere: str, where: str
) -> None:
    page = browser.new_page()
    page.goto(service.url if where == "our own page" else elsewhere)
    protocol, code, told = talk(page, service, secret_of(service))
    assert (protocol, code) == ("realtime", 1000)
    assert told[:3] == ["session.created", "session.updated", "pt:Hello there."]
    assert told[-1] == "session.closed"
    assert talk(page, service, "ek_nonsense") == ["", 1006, []]
    page.close()


def test_a_page_that_is_not_named_opens_nothing(browser: Browser, service: Server) -> None:
    with serve_files(NO_LIMITS) as stranger:
        page = browser.new_page()
        page.goto(stranger)
        assert talk(page, service, secret_of(service)) == ["", 1006, []]
        page.close()
