"""Whose word counts for a client's address: trusted proxies', each for the one before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from speech_translator.errors import ConfigurationError
from speech_translator.security.forwarding import (
    ForwardedHeaders,
    direct_peer_of,
    forwarded,
    trusted_networks,
)
from speech_translator.security.networks import lies_in, parse_address

PROXIES = trusted_networks(["10.0.0.0/8", "fd00::/8"])


def told(*lines, peer="10.0.0.1"):
    headers = [(name.encode(), value.encode("latin-1")) for name, value in lines]
    return forwarded(peer, headers, PROXIES)


def address(*lists, peer="10.0.0.1", name="x-forwarded-for"):
    found = told(*((name, value) for value in lists), peer=peer)
    return None if found is None else found.address


@pytest.mark.parametrize(
    "peer", ["192.0.2.9", "11.0.0.1", "::1", "", None, "10.0.0.1.evil", "unix:"]
)
def test_nobody_elses_word_is_taken(peer):
    assert told(("x-forwarded-for", "203.0.113.5"), peer=peer) is None


def test_a_proxys_word_is_taken_and_a_list_that_its_client_sent_is_not():
    assert address("203.0.113.5") == "203.0.113.5"
    assert address("1.1.1.1, 127.0.0.1, 203.0.113.5") == "203.0.113.5"
    assert address("1.1.1.1", "203.0.113.5") == "203.0.113.5"


def test_trusted_hops_are_stepped_over_from_the_right_only():
    assert address("1.1.1.1, 203.0.113.5, 10.1.1.1, 10.2.2.2") == "203.0.113.5"
    assert address("10.9.9.9, 203.0.113.5, 10.2.2.2") == "203.0.113.5"
    assert address("10.9.9.9, 10.2.2.2") == "10.9.9.9"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("203.0.113.5:443", "203.0.113.5"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:DB8::7]:443", "2001:db8::7"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("fe80::1%eth0", "fe80::1"),
        (" 203.0.113.5 ", "203.0.113.5"),
    ],
)
def test_ports_brackets_and_zones(entry, expected):
    assert address(entry) == expected
    assert address(f'for="{entry.strip()}"', name="forwarded") == expected


@pytest.mark.parametrize(
    "garbage",
    ["unknown", "_hidden", "localhost", "", "203.0.113.5:x", "203.0.113.5:999999", "[::1", "1.2.3",
     "203.0.113.5 evil", "a" * 9000, "0x7f.1", "\xb2.1.1.1", "203.0.113.5]:80", "[]:80"],
)  # fmt: skip
def test_what_is_no_address_ends_at_the_proxy_that_passed_it_on(garbage):
    assert address(f"1.1.1.1, {garbage}") == "10.0.0.1"
    assert address(f"1.1.1.1, {garbage}, 10.2.2.2") == "10.2.2.2"


def test_the_standards_header_counts_where_the_usual_one_is_missing():
    both = 'for=1.1.1.1;proto=http, for="[2001:db8::7]:99";by=10.0.0.1;proto=https'
    found = told(("forwarded", both))
    assert (found.address, found.scheme) == ("2001:db8::7", "https")
    assert told(("forwarded", both), ("x-forwarded-for", "203.0.113.5")).address == "203.0.113.5"
    assert told(("forwarded", both), ("x-forwarded-for", "203.0.113.5")).scheme is None


@pytest.mark.parametrize(
    "element",
    ["for=a=b", "for", '="x"', 'for="203.0.113.5', "for=1.1.1.1;for=2.2.2.2", "proto=https", "\\"],
)
def test_a_malformed_element_tells_nothing(element):
    assert address(f"for=1.1.1.1, {element}", name="forwarded") == "10.0.0.1"


def test_a_quote_that_a_client_leaves_open_buys_no_address():
    for left in ('for="', 'for="6.6.6.6', "for=6.6.6.6;x="):
        found = address(f'{left}, for="[2001:db8::7]"', name="forwarded")
        assert found in {"2001:db8::7", "10.0.0.1"}


def test_the_scheme_is_that_which_the_outermost_trusted_proxy_saw():
    two = ("x-forwarded-for", "203.0.113.5, 10.2.2.2")
    assert told(two, ("x-forwarded-proto", "https, http")).scheme == "https"
    assert told(two, ("x-forwarded-proto", "HTTPS")).scheme == "https"
    one = ("x-forwarded-for", "1.1.1.1, 203.0.113.5")
    assert told(one, ("x-forwarded-proto", "https, http")).scheme == "http"
    assert told(("x-forwarded-proto", "https")).scheme == "https"
    assert told(one).scheme is None


entries = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda found: f"[{found}]:1"),
    st.text(st.characters(max_codepoint=255, exclude_characters=","), max_size=12),
)


@given(st.lists(entries, max_size=40), st.ip_addresses(), st.lists(st.just("10.7.7.7"), max_size=3))
def test_whatever_a_client_sends_its_own_address_is_found(claimed, client, hops):
    line = ", ".join([*claimed, str(client), *hops])
    actual = parse_address(str(client))
    if not lies_in(actual, PROXIES):
        assert address(line) == str(actual)


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=4))
def test_any_bytes_give_an_address_and_never_an_error(values):
    for name in ("x-forwarded-for", "forwarded"):
        found = told(*((name, value) for value in values), ("x-forwarded-proto", "\xff"))
        assert parse_address(found.address) is not None


@pytest.mark.parametrize("text", ["*", "proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0", ""])
def test_networks_that_are_none_or_all_are_refused(text):
    with pytest.raises(ConfigurationError, match="TRUSTED_PROXIES"):
        trusted_networks([text])


async def passed_on(scope):
    seen = {}

    async def app(scope, _receive, _send):
        seen.update(scope)

    await ForwardedHeaders(app, PROXIES)(scope, None, None)
    return seen


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
async def test_the_application_sees_the_client(kind, scheme):
    headers = [(b"x-forwarded-for", b"203.0.113.5"), (b"x-forwarded-proto", b"https")]
    scope = {"type": kind, "client": ("10.0.0.1", 5), "scheme": scheme[:-1], "headers": headers}
    seen = await passed_on(scope)
    assert (seen["client"], seen["scheme"]) == (("203.0.113.5", 0), scheme)
    assert direct_peer_of(HTTPConnection(seen)) is None


async def test_others_are_who_they_are():
    headers = [(b"x-forwarded-for", b"203.0.113.5"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": ("192.0.2.9", 5), "scheme": "http", "headers": headers}
    seen = await passed_on(scope)
    assert (seen["client"], seen["scheme"]) == (("192.0.2.9", 5), "http")
    assert direct_peer_of(HTTPConnection(seen)) == "192.0.2.9"


@pytest.mark.parametrize("proto", [b"gopher", b"", b"https evil", b"javascript"])
async def test_a_scheme_that_is_none_is_not_taken(proto):
    headers = [(b"x-forwarded-proto", proto)]
    scope = {"type": "http", "client": ("10.0.0.1", 5), "scheme": "http", "headers": headers}
    assert (await passed_on(scope))["scheme"] == "http"


async def test_a_proxy_that_says_nothing_is_still_a_proxy_and_no_operator():
    seen = await passed_on(
        {"type": "http", "client": ("10.0.0.1", 5), "scheme": "http", "headers": []}
    )
    assert seen["client"] == ("10.0.0.1", 5)
    assert direct_peer_of(HTTPConnection(seen)) is None


async def test_the_lifespan_passes():
    assert await passed_on({"type": "lifespan"}) == {"type": "lifespan"}
