"""Ed25519 keys that sign tokens: today's, those before it, and how they are kept.

A private key is kept sealed (AES-256-GCM under a key derived from the server's pepper), so that a
copy of the database signs nothing.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from speech_translator.security.sealing import seal, unseal

_PURPOSE = b"speech-translator signing keys"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key. ``kid`` is public; ``created_at`` is milliseconds since 1970."""

    kid: str
    created_at: int
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        """What checks its signatures."""
        return self.private.public_key()

    def jwk(self) -> dict[str, str]:
        """The public key as others read it (RFC 8037)."""
        raw = base64.urlsafe_b64encode(self.public.public_bytes_raw()).rstrip(b"=")
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": raw.decode(),
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
        }

    def seal(self, pepper: bytes) -> bytes:
        """The private key, to be kept."""
        raw = self.private.private_bytes_raw()
        return seal(raw, pepper=pepper, purpose=_PURPOSE, place=self.kid.encode())

    @classmethod
    def unseal(
        cls, kid: str, created_at: int, sealed: bytes, peppers: Sequence[bytes]
    ) -> SigningKey | None:
        """A key that was kept; None when it was sealed under none of the peppers."""
        raw = unseal(sealed, peppers=peppers, purpose=_PURPOSE, place=kid.encode())
        if raw is None:
            return None
        return cls(kid, created_at, Ed25519PrivateKey.from_private_bytes(raw))

    @classmethod
    def generate(cls, created_at: int) -> SigningKey:
        """A new key."""
        kid = base64.urlsafe_b64encode(os.urandom(9)).decode()
        return cls(kid, created_at, Ed25519PrivateKey.generate())


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys that are accepted, the newest first: that one signs."""

    keys: tuple[SigningKey, ...]

    @property
    def newest(self) -> SigningKey:
        """The key that signs."""
        return self.keys[0]

    def find(self, kid: object) -> SigningKey | None:
        """The key of that id."""
        return next((key for key in self.keys if key.kid == kid), None)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """All public keys (RFC 7517)."""
        return {"keys": [key.jwk() for key in self.keys]}

    def rotated(self, now_ms: int, *, every_ms: int, overlap_ms: int) -> KeyRing:
        """The ring as it should be now: a new key where the newest is old, without the retired.

        A key signs for ``every_ms`` and is accepted for ``overlap_ms`` more, in which the last
        token that it signed ends and those who keep the public keys fetch the new one.
        """
        keys = self.keys
        if not keys or now_ms - keys[0].created_at >= every_ms:
            keys = (SigningKey.generate(now_ms), *keys)
        kept = [key for key in keys if now_ms - key.created_at < every_ms + overlap_ms]
        return KeyRing(tuple(kept))
