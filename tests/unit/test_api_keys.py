"""API keys: their shape, their checksum, their comparison."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.security.api_keys import PATTERN, ApiKey, generate, parse

PEPPER = b"pepper" * 6


def test_a_key_is_found_by_scanners_and_reads_back() -> None:
    key = generate()
    assert PATTERN.fullmatch(key.text)
    assert PATTERN.search(f'"X-API-Key: {key.text}"')
    assert parse(key.text) == key
    assert key.display in key.text
    assert math.log2(62 ** len(key.secret)) >= 256


def test_no_two_are_alike() -> None:
    keys = [generate() for _ in range(1000)]
    assert len({key.id for key in keys}) == 1000
    assert len({key.secret for key in keys}) == 1000


@given(st.data())
def test_one_mistyped_character_fails_by_the_checksum(data: st.DataObject) -> None:
    text = generate().text
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.sampled_from(sorted(set(string.ascii_letters + string.digits) - {text[at]}))
    )
    assert parse(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "st_live_", "x" * 10_000, "st_live_é", "st_live_" + "0" * 70])
def test_what_is_no_key_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_parsed(text: str) -> None:
    assert parse(text) is None
    assert parse(f"{generate().text}{text}") is None or not text


def test_only_the_key_itself_matches_what_is_stored() -> None:
    key, other = generate(), generate()
    stored = key.digest(PEPPER)
    assert len(stored) == 32
    assert key.matches(stored, PEPPER)
    assert not key.matches(None, PEPPER)
    assert not key.matches(bytes(32), PEPPER)
    assert not key.matches(stored, b"another pepper")
    assert not ApiKey(key.id, other.secret).matches(stored, PEPPER)
    assert not ApiKey(other.id, key.secret).matches(stored, PEPPER)


def test_the_secret_is_in_no_repr() -> None:
    key = generate()
    assert key.secret not in repr(key)
