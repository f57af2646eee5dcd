"""Tokens: what they say, and every way in which one is not ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import Unauthenticated
from speech_translator.security.scopes import Principal, Scope
from speech_translator.security.signing_keys import KeyRing, SigningKey
from speech_translator.security.tiers import TierName
from speech_translator.security.tokens import (
    MAX_LIFE_S,
    MAX_SECRET_LIFE_S,
    SECRET_PREFIX,
    TokenConfig,
    Tokens,
)

NOW = 1_800_000_000.0
RING = KeyRing((SigningKey.generate(0), SigningKey.generate(0)))
WHO = Principal("ada", "k1", TierName.PRO, frozenset({Scope.TRANSLATE, Scope.STREAM}))


def tokens(now: float = NOW, ring: KeyRing = RING, **config: Any) -> Tokens:
    return Tokens(lambda: ring, TokenConfig(**config), clock=lambda: now)


def forged(
    change: Callable[[dict[str, Any]], object] = lambda _claims: None,
    *,
    key: object = RING.newest.private,
    algorithm: str | None = "EdDSA",
    kid: str | None = RING.newest.kid,
) -> str:
    """A token with something changed before it was signed."""
    claims = jwt.decode(tokens().issue(WHO), options={"verify_signature": False})
    change(claims)
    headers = {"kid": kid} if kid else {}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)  # type: ignore[arg-type]


def refused(text: str, now: float = NOW) -> bool:
    try:
        tokens(now).verify(text)
    except Unauthenticated:
        return True
    return False


def test_a_token_says_who_asks_and_ends_soon() -> None:
    token = tokens().verify(tokens().issue(WHO))
    assert token.principal == WHO
    assert token.expires_at == NOW + 600
    assert not refused(forged())


def test_a_token_for_a_part_of_what_one_may_do() -> None:
    text = tokens().issue(WHO, frozenset({Scope.STREAM, Scope.ADMIN}))
    assert tokens().verify(text).principal.scopes == {Scope.STREAM}


def test_no_two_tokens_are_alike() -> None:
    assert tokens().verify(tokens().issue(WHO)).jti != tokens().verify(tokens().issue(WHO)).jti


def test_a_key_before_todays_is_still_accepted_and_an_unknown_one_is_not() -> None:
    old = KeyRing(RING.keys[1:])
    assert not refused(tokens(ring=old).issue(WHO))
    assert refused(tokens(ring=KeyRing((SigningKey.generate(0),))).issue(WHO))


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "key_id", "tier", "scope"]
)
def test_every_claim_is_needed(claim: str) -> None:
    assert refused(forged(lambda claims: claims.pop(claim)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": ["speech-translator", "another"]},
        {"iss": "another"},
        {"tier": "gold"},
        {"scope": "root"},
        {"exp": "soon"},
        {"exp": NOW + 10 * MAX_LIFE_S},
        {"nbf": NOW + 60, "exp": NOW + 120},
        {"exp": NOW - 60, "nbf": NOW - 120},
    ],
)
def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    assert refused(forged(lambda claims: claims.update(changes)))


def test_it_ends() -> None:
    text = tokens().issue(WHO)
    assert not refused(text, NOW + 599)
    assert refused(text, NOW + 603)
    assert refused(text, NOW - 60)


def test_other_algorithms_are_refused_whatever_the_token_says() -> None:
    public = RING.newest.public.public_bytes_raw()
    assert refused(forged(key="", algorithm=None))
    assert refused(forged(key=public, algorithm="HS256"))
    assert refused(forged(key=public * 2, algorithm="HS512"))
    assert refused(forged(kid=None))
    assert refused(forged(kid="unknown"))
    assert refused(forged(kid=RING.keys[1].kid))


def test_one_changed_bit_is_refused() -> None:
    head, body, signature = tokens().issue(WHO).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["tier"] = "admin"
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{body}.{signature}")
    assert refused(f"{head}.{body}.")


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text", ["a.b.c", "x" * 100_000, "eyJhbGciOiJub25lIn0.e30.", "..", "[" * 4000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text)


def test_life_is_bounded() -> None:
    assert tokens(life_s=99_999).life_s == MAX_LIFE_S
    assert not refused(tokens(life_s=99_999).issue(WHO), NOW + MAX_LIFE_S - 1)


# Signing keys


def test_a_private_key_is_kept_sealed() -> None:
    key = SigningKey.generate(5)
    sealed = key.seal(b"pepper")
    assert key.private.private_bytes_raw() not in sealed
    back = SigningKey.unseal(key.kid, 5, sealed, [b"newer", b"pepper"])
    assert back is not None
    assert back.jwk() == key.jwk()
    for kid, content, peppers in (
        ("another", sealed, [b"pepper"]),
        (key.kid, sealed[:-1] + bytes([sealed[-1] ^ 1]), [b"pepper"]),
        (key.kid, sealed, [b"another"]),
    ):
        assert SigningKey.unseal(kid, 5, content, peppers) is None


def test_the_ring_turns_with_an_overlap() -> None:
    times = {"every_ms": 100, "overlap_ms": 20}
    first = KeyRing(()).rotated(0, **times)
    assert first.rotated(99, **times) == first
    second = first.rotated(100, **times)
    assert second.keys[1:] == first.keys
    assert second.rotated(119, **times) == second
    third = second.rotated(120, **times)
    assert third.keys == second.keys[:1]
    after_a_long_stop = third.rotated(100_000, **times)
    assert len(after_a_long_stop.keys) == 1
    assert after_a_long_stop.newest.created_at == 100_000


def test_public_keys_are_published_as_others_read_them() -> None:
    text = tokens().issue(WHO)
    keys = jwt.PyJWKSet.from_dict(RING.jwks())
    kid = jwt.get_unverified_header(text)["kid"]
    claims = jwt.decode(
        text,
        keys[kid],
        algorithms=["EdDSA"],
        audience="speech-translator",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert claims["sub"] == "ada"
    assert "d" not in json.dumps([sorted(key) for key in RING.jwks()["keys"]]).replace("kid", "")
    assert repr(RING.newest.private) not in repr(replace(RING.newest))


def test_a_signature_is_checked_once_and_everything_else_each_time() -> None:
    now, ring = [NOW], [RING]
    own = Tokens(lambda: ring[0], TokenConfig(), clock=lambda: now[0])
    text = own.issue(WHO)
    assert own.recall(text) is None
    assert own.verify(text) == own.recall(text)
    assert own.recall(text[:-2] + ("AA" if text[-2:] != "AA" else "BB")) is None
    now[0] = NOW + 603
    assert own.recall(text) is None
    now[0] = NOW - 60
    assert own.recall(text) is None
    now[0], ring[0] = NOW, KeyRing((SigningKey.generate(0),))
    assert own.recall(text) is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speech_translator.security.tokens._MAX_REMEMBERED", 3)
    own = tokens()
    texts = [own.issue(WHO) for _ in range(5)]
    for text in texts:
        own.verify(text)
    assert [own.recall(text) is not None for text in texts] == [False] * 2 + [True] * 3


# Client secrets


def secret(session: str = "{}", life_s: int = 600) -> str:
    text, _ = tokens().issue_secret(WHO, session, life_s)
    return text


def forged_secret(change: Callable[[dict[str, Any]], object]) -> str:
    claims = jwt.decode(secret().removeprefix(SECRET_PREFIX), options={"verify_signature": False})
    change(claims)
    key = RING.newest
    return SECRET_PREFIX + jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid})


def test_a_client_secret_carries_its_session_and_opens_live_sessions_alone() -> None:
    text, ends = tokens().issue_secret(WHO, '{"model": "m"}', 600)
    assert text.startswith("ek_")
    token = tokens().verify(text)
    assert (token.session, token.expires_at, ends) == ('{"model": "m"}', NOW + 600, NOW + 600)
    assert token.principal.scopes == {Scope.STREAM}
    assert tokens().verify(tokens().issue(WHO)).session is None


def test_a_client_secret_may_live_longer_than_other_tokens_and_no_longer_than_that() -> None:
    text, ends = tokens().issue_secret(WHO, "{}", 10 * MAX_SECRET_LIFE_S)
    assert ends == NOW + MAX_SECRET_LIFE_S
    assert not refused(text, NOW + MAX_SECRET_LIFE_S - 1)
    assert refused(text, NOW + MAX_SECRET_LIFE_S + 3)
    assert refused(forged_secret(lambda claims: claims.update(exp=NOW + MAX_SECRET_LIFE_S + 1)))


def test_one_kind_of_token_is_not_taken_for_the_other() -> None:
    assert not refused(forged_secret(lambda _claims: None))
    assert refused(secret().removeprefix(SECRET_PREFIX))
    assert refused(SECRET_PREFIX + tokens().issue(WHO))
    assert refused(SECRET_PREFIX + secret())
    assert refused(forged_secret(lambda claims: claims.update(scope="stream translate")))
    assert refused(forged_secret(lambda claims: claims.pop("session")))


def test_the_longest_session_fits() -> None:
    name = '"' * 128
    session = json.dumps({"model": name, "target": "x" * 35, "transcription": name})
    assert tokens().verify(secret(session)).session == session
