"""Who may make a first key: somebody at this machine, and each attack is turned away."""

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.bootstrap import is_local_operator, is_own_page
from speech_translator.security.networks import parse_networks

NETWORKS = parse_networks(["127.0.0.0/8", "::1/128"])


def passes(peer="127.0.0.1", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return is_local_operator(peer, {"host": "localhost:8000", **named}, NETWORKS)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000"])
def test_somebody_at_this_machine_passes(peer, host):
    assert passes(peer, host=host, user_agent="curl/8")


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "::2", "", None, "localhost", "unix:"])
def test_other_machines_do_not(peer):
    assert not passes(peer)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.nip.io",
        "localhost:80:80",
        "localhost@evil.example",
        "[::1].evil.example",
        "0.0.0.0",
        "localhost.",
    ],
)
def test_a_name_that_was_pointed_here_does_not(host):
    assert not passes(host=host)


@pytest.mark.parametrize(
    "header",
    [
        "origin",
        "sec_fetch_site",
        "sec_fetch_mode",
        "x_forwarded_for",
        "x_forwarded_host",
        "forwarded",
        "via",
        "x_real_ip",
    ],
)
@pytest.mark.parametrize("value", ["", "null", "http://localhost:8000", "127.0.0.1"])
def test_a_web_page_or_a_proxy_does_not(header, value):
    assert not passes(**{header: value})


def test_networks_are_the_operators():
    assert is_local_operator("172.18.0.1", {"host": "localhost"}, parse_networks(["172.18.0.1/32"]))
    assert not is_local_operator("127.0.0.1", {"host": "localhost"}, parse_networks([]))
    with pytest.raises(ConfigurationError, match="BOOTSTRAP_NETWORKS"):
        parse_networks(["here"])


# The page on this machine

OWN = {"origin": "http://localhost:8000", "host": "localhost:8000"}


def page_passes(peer="127.0.0.1", **changes):
    named = {name.replace("_", "-"): value for name, value in {**OWN, **changes}.items()}
    return is_own_page(
        peer, {name: value for name, value in named.items() if value is not None}, NETWORKS
    )


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"])
@pytest.mark.parametrize("site", ["same-origin", None])
def test_our_own_page_passes(host, site):
    assert page_passes(host=host, origin=f"http://{host}", sec_fetch_site=site)


@pytest.mark.parametrize(
    "changes",
    [
        {"peer": "192.0.2.1"},
        {"peer": None},
        {"origin": None},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "https://localhost:8000"},
        {"origin": "http://localhost:8000.evil.example"},
        {"origin": "http://evil.example"},
        {"host": "evil.example:8000", "origin": "http://evil.example:8000"},
        {"host": "localhost.evil.example", "origin": "http://localhost.evil.example"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "none"},
        {"x_forwarded_for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
)
def test_other_pages_names_and_proxies_do_not(changes):
    assert not page_passes(**changes)
