"""A server that speaks OpenAI's protocol, with real sockets and real faults."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-0123456789"


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Answer:
    """What goes out, and what goes wrong on the way.

    ``cut_after`` resets the connection after so many bytes of the body; ``drip_s`` sends a byte
    at a time with that pause between them.
    """

    body: bytes | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut_after: int | None = None
    drip_s: float = 0.0

    def content(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Handler = Callable[[Request], Answer]


@dataclass
class OpenAiServer:
    """The running server. ``handlers`` answer by path below ``/v1/``; ``faults`` go first."""

    url: str
    requests: list[Request] = field(default_factory=list)
    handlers: dict[str, Handler] = field(default_factory=dict)
    faults: list[Answer] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "Incorrect API key provided.")
        handler = self.handlers.get(request.path.removeprefix("/v1/"))
        return handler(request) if handler else error(404, "Not found")


def error(status: int, message: str, param: str | None = None, **headers: str) -> Answer:
    """An error in OpenAI's shape."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(body, status, named)


def chat(text: str | None, finish_reason: str = "stop", **message: Any) -> Answer:
    """A chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish_reason,
    }
    return Answer({"id": "c", "object": "chat.completion", "choices": [choice]})


WORDS = {
    "Portuguese": ["a", "reunião", "começa", "amanhã", "cedo", "com", "todos", "nós"],
    "German": ["die", "Besprechung", "beginnt", "morgen", "früh", "mit", "uns", "allen"],
}


def translated(text: str, into: str = "Portuguese") -> str:
    """Words of the language in the place of words, with markers, numbers and signs as they are."""
    words = itertools.cycle(WORDS[into])
    return re.sub(r"\b(?!XQ\d)[A-Za-z]{1,40}\b", lambda _: next(words), text)


def model(request: Request) -> Answer:
    """Does as it is told, in its way."""
    system, user = (message["content"] for message in request.json()["messages"])
    found = re.search(r"<(text\d*)>\n(.*)\n</\1>", user, re.DOTALL)
    assert found
    into = next(name for name in WORDS if f"into {name}" in system)
    return chat(translated(found[2], into))


@contextlib.contextmanager
def openai_server() -> Iterator[OpenAiServer]:
    """A server on loopback for as long as the block."""

    class Connection(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Request(self.path, headers, self.rfile.read(length)))
            content = answer.content()
            with contextlib.suppress(OSError):
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(content)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self._send(answer, content)

        def _send(self, answer: Answer, content: bytes) -> None:
            if answer.cut_after is not None:
                self.wfile.write(content[: answer.cut_after])
                self.wfile.flush()
                # Zero seconds to linger: the peer sees a reset and no clean end.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True
            elif answer.drip_s:
                for byte in content:
                    if stopped.wait(answer.drip_s):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
            else:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Nothing: tests look at what was asked."""

    stopped = threading.Event()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
    listener.daemon_threads = True
    listener.handle_error = lambda *_: None  # clients break off: that is what they are told to do
    server = OpenAiServer(f"http://127.0.0.1:{listener.server_address[1]}/v1")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        stopped.set()
        listener.shutdown()
        thread.join()
        listener.server_close()
