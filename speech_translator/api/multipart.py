"""Answers of several parts (RFC 2046)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.responses import Response


def multipart_mixed(parts: Sequence[tuple[str, bytes]]) -> Response:
    """One answer of several parts.

    Args:
        parts: content type and body of each, in order. The boundary is random, so a body cannot
            hold it but by a chance of 2**-128.
    """
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for kind, body in parts:
        head = f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        pieces += [head.encode(), body, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return Response(
        b"".join(pieces), headers={"Content-Type": f"multipart/mixed; boundary={boundary}"}
    )
