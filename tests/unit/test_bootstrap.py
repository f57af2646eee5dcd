"""Who may make a first key: somebody at this machine, and each attack is turned away."""

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.bootstrap import is_local_operator, parse_networks

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
