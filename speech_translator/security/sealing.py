"""What is kept so that a copy of the database shows nothing: AES-256-GCM under the server's secret.

Each use has a purpose of its own, from which with the pepper its key is derived (HKDF, RFC 5869),
and binds what it seals to its place: sealed bytes that are moved elsewhere do not open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


def seal(data: bytes, *, pepper: bytes, purpose: bytes, place: bytes) -> bytes:
    """``data``, unreadable without the pepper."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(pepper, purpose).encrypt(nonce, data, place)


def unseal(
    sealed: bytes, *, peppers: Sequence[bytes], purpose: bytes, place: bytes
) -> bytes | None:
    """What was sealed; None when it was under none of the peppers, or elsewhere."""
    nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for pepper in peppers:
        try:
            return _cipher(pepper, purpose).decrypt(nonce, content, place)
        except (InvalidTag, ValueError):
            continue
    return None


@lru_cache(maxsize=16)
def _cipher(pepper: bytes, purpose: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, None, purpose).derive(pepper))
