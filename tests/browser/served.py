"""The page's files without the service, and an empty page beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

from tests.support.server import ROOT

WEB = ROOT / "speech_translator" / "web"


@contextmanager
def serve_files(policy: str) -> Iterator[str]:
    """The address of the empty page; the files are under ``assets/``, as ours are."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = WEB / PurePosixPath(self.path).name
            found = self.path.startswith("/assets/") and script.suffix == ".js"
            body = script.read_bytes() if found else b"<!doctype html><title>empty</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if found else "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
