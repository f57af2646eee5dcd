"""Tiers: the built-in table, an operator's file over it, and files that are wrong."""

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.tiers import TierName, load_tiers


@pytest.fixture
def own(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


def test_the_built_in_tiers():
    tiers = load_tiers()
    assert [(t.requests_per_minute, t.requests_per_day) for t in tiers.values()] == [
        (10, 1_000),
        (50, 10_000),
        (200, 100_000),
        (1_000, 1_000_000),
        (None, None),
    ]
    assert set(tiers) == set(TierName)
    priorities = [tier.priority for tier in tiers.values()]
    assert priorities == sorted(priorities, reverse=True)
    admin = tiers[TierName.ADMIN]
    assert (admin.characters_per_month, admin.live_sessions, admin.max_text_chars) == (None,) * 3


def test_an_operators_values_stand_over_the_built_in_ones(own):
    tiers = load_tiers(own('[free]\nrequests_per_minute = 5\nlive_sessions = "unlimited"\n'))
    assert tiers[TierName.FREE].requests_per_minute == 5
    assert tiers[TierName.FREE].live_sessions is None
    assert tiers[TierName.FREE].requests_per_day == 1_000
    assert tiers[TierName.PRO] == load_tiers()[TierName.PRO]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gold]\n", "no tier 'gold'"),
        ("[free]\nrequests = 1\n", "no limit 'requests'"),
        ("[free]\nname = 'pro'\n", "no limit 'name'"),
        ("[free]\nlive_sessions = -1\n", "live_sessions of [free]"),
        ("[free]\nlive_sessions = true\n", "live_sessions of [free]"),
        ("[free]\nlive_sessions = 1.5\n", "live_sessions of [free]"),
        ("[free]\npriority = 'unlimited'\n", "priority of [free]"),
        ("free = 1\n", "must be a table"),
        ("[free\n", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_told(own, text, said):
    with pytest.raises(ConfigurationError, match=r"own\.toml") as caught:
        load_tiers(own(text))
    assert said in caught.value.message


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        load_tiers(tmp_path / "none.toml")
