"""API keys: what they look like, how they are made, and how one is compared with what is stored.

``st_live_<id>_<secret>_<checksum>`` in base 62. The prefix lets secret scanners find a key that was
published by mistake; the checksum lets a typo fail without a look-up, after GitHub's tokens
(https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/).
The secret has 256 random bits, so a keyed hash that costs microseconds is enough: nobody can try
them all, and a slow hash would only help those who want to keep the service busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from functools import lru_cache

PREFIX = "st_live_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 12
_SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32

PATTERN = re.compile(
    rf"{PREFIX}(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})_(?P<secret>[0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)
"""What a secret scanner looks for."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its holder has it. ``repr`` shows the public part alone."""

    id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The key, to be shown once."""
        body = f"{PREFIX}{self.id}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    @property
    def display(self) -> str:
        """What a list may show of it."""
        return f"{PREFIX}{self.id}"

    def digest(self, pepper: bytes) -> bytes:
        """What is stored in its place: HMAC-SHA256 of id and secret under the pepper."""
        keyed = _keyed(pepper).copy()
        keyed.update(f"{self.id}_{self.secret}".encode())
        return keyed.digest()

    def matches(self, digest: bytes | None, pepper: bytes) -> bool:
        """Whether it is the key that was stored, in constant time.

        Args:
            digest: what is stored under its id; None where nothing is, at the same cost.
            pepper: the server's secret.
        """
        own = self.digest(pepper)
        return hmac.compare_digest(own, digest if digest is not None else bytes(len(own))) and (
            digest is not None
        )


def generate() -> ApiKey:
    """A new key from the system's randomness."""
    return ApiKey(_random(_ID_LENGTH), _random(_SECRET_LENGTH))


def parse(text: str) -> ApiKey | None:
    """The key in ``text``; None when it is none, or mistyped. Costs no look-up."""
    found = PATTERN.fullmatch(text) if len(text) < 100 else None  # noqa: PLR2004 - longer is none
    if found is None or _checksum(text.rpartition("_")[0]) != found["checksum"]:
        return None
    return ApiKey(found["id"], found["secret"])


def is_id(text: str) -> bool:
    """Whether ``text`` may be a key's id. Anything else costs no look-up."""
    return len(text) == _ID_LENGTH and text.isascii() and text.isalnum()


def looks_like_a_key(text: str) -> bool:
    """Whether ``text`` was meant to be an API key and not a token."""
    return text.startswith(PREFIX)


@lru_cache(maxsize=4)
def _keyed(pepper: bytes) -> hmac.HMAC:
    """HMAC under a pepper, to be copied: to make one anew costs a request 0.01 ms."""
    return hmac.new(pepper, digestmod=hashlib.sha256)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """CRC-32 in base 62."""
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
