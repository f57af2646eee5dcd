import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speech_translator.engines.directions import Directions
from speech_translator.engines.routing import MAX_ROUTES, RoutePlanner, names
from speech_translator.engines.values import EngineInfo


def engine(name: str, *pairs: str) -> EngineInfo:
    return EngineInfo(
        name, "translation", pairs=tuple((p.split("-")[0], p.split("-")[1]) for p in pairs)
    )


def test_direct_routes_come_in_the_operators_order() -> None:
    planner = RoutePlanner((engine("a", "en-pt"), engine("b", "en-pt")))
    assert [names(route) for route in planner.routes("en", "pt")] == [("a:en-pt",), ("b:en-pt",)]


def test_a_pair_without_a_direct_engine_goes_through_english_first() -> None:
    planner = RoutePlanner((engine("a", "fr-ca", "ca-pt", "fr-en"), engine("b", "en-pt")))
    assert [names(route) for route in planner.routes("fr", "pt")] == [
        ("a:fr-en", "b:en-pt"),
        ("a:fr-ca", "a:ca-pt"),
    ]


def test_engines_that_have_the_pair_itself_are_not_asked_again_in_two_steps() -> None:
    planner = RoutePlanner(
        (engine("a", "en-pt", "en-es", "es-pt"), engine("b", "en-ca"), engine("c", "ca-pt"))
    )
    assert [names(route) for route in planner.routes("en", "pt")] == [
        ("a:en-pt",),
        ("b:en-ca", "c:ca-pt"),
    ]


@given(
    st.lists(st.sampled_from(["en-pt", "pt-en", "en-es", "es-en", "es-pt", "fr-en"]), max_size=6)
)
def test_the_best_route_is_the_first_of_all(pairs: list[str]) -> None:
    planner = RoutePlanner((engine("a", *pairs[:3]), rules("b", *pairs[3:])))
    for source, target in itertools.permutations(("en", "pt", "es", "fr"), 2):
        routes = planner.routes(source, target)
        if routes:
            assert planner.best(source, target) == routes[0]
        else:
            with pytest.raises(KeyError):
                planner.best(source, target)


def rules(name: str, *pairs: str) -> EngineInfo:
    return replace(engine(name, *pairs), rule_based=True)


def test_a_detour_that_was_measured_as_better_comes_before_a_direct_pair_by_rules() -> None:
    pairs = "en-es es-en es-pt pt-es es-fr fr-es es-ca ca-fr en-pt pt-en"
    romance = rules("r", *pairs.split())
    trained = engine("t", "en-pt", "pt-en")

    def first(source: str, target: str, *engines: EngineInfo) -> tuple[str, ...]:
        return names(RoutePlanner(engines).routes(source, target)[0])

    assert first("es", "en", trained, romance) == ("r:es-pt", "t:pt-en")
    assert first("en", "es", trained, romance) == ("t:en-pt", "r:pt-es")
    assert first("es", "fr", trained, romance) == ("r:es-ca", "r:ca-fr")
    assert first("fr", "es", trained, romance) == ("r:fr-es",)  # no way through Catalan here
    assert first("es", "pt", trained, romance) == ("r:es-pt",)
    assert first("es", "en", romance) == ("r:es-en",)  # rules twice are worse than once
    assert first("es", "en", engine("n", "es-en"), trained, romance) == ("n:es-en",)
    routes = RoutePlanner((trained, romance)).routes("es", "en")
    assert [names(route) for route in routes] == [("r:es-pt", "t:pt-en"), ("r:es-en",)]


def test_among_other_pivots_the_one_that_was_measured_as_better_comes_first() -> None:
    romance = "en-es en-ca en-gl es-fr ca-fr gl-fr fr-es fr-ca es-en ca-en pt-es pt-ca es-it ca-it"
    planner = RoutePlanner((engine("a", *romance.split()),))
    first = {pair: planner.routes(*pair)[0][0].target for pair in (("en", "fr"), ("fr", "en"))}
    assert first == {("en", "fr"): "ca", ("fr", "en"): "es"}
    assert planner.routes("pt", "it")[0][0].target == "es"
    assert [route[0].target for route in planner.routes("en", "fr")] == ["ca", "es", "gl"]


def test_a_pivot_may_join_two_engines() -> None:
    planner = RoutePlanner((engine("bergamot", "en-pt", "pt-en"), engine("apertium", "pt-ca")))
    assert [names(route) for route in planner.routes("en", "ca")] == [
        ("bergamot:en-pt", "apertium:pt-ca")
    ]


def test_an_uncovered_pair_has_no_route() -> None:
    planner = RoutePlanner((engine("a", "en-pt", "pt-en"),))
    assert planner.routes("en", "fr") == ()
    assert planner.routes("fr", "en") == ()
    assert planner.targets("en") == {"pt"}


def test_any_two_languages_of_a_group_are_a_pair() -> None:
    many = EngineInfo("m", "translation", groups=(("de", "en", "fr"), ("fr", "ja")))
    planner = RoutePlanner((engine("a", "en-fr", "ja-ko"), many))
    assert [names(route) for route in planner.routes("en", "fr")] == [
        ("a:en-fr",),
        ("m:en-fr",),
    ]
    assert names(planner.best("en", "ja")) == ("a:en-fr", "m:fr-ja")
    assert planner.sources() == {"de", "en", "fr", "ja"}
    assert planner.targets("de") == {"en", "fr", "ja"}
    assert planner.targets("fr") == {"de", "en", "ja", "ko"}
    assert planner.targets("ko") == set()


groups = st.lists(
    st.sets(st.sampled_from("abcde"), min_size=2).map(lambda found: tuple(sorted(found))),
    max_size=2,
)


@given(
    st.lists(st.tuples(st.sets(st.sampled_from(["a-b", "b-c", "e-a", "c-e"])), groups), max_size=3),
    st.sampled_from("abcde"),
    st.sampled_from("abcde"),
)
def test_groups_are_a_short_way_of_writing_their_pairs(
    engines: list[tuple[set[str], list[tuple[str, ...]]]], source: str, target: str
) -> None:
    short = [
        replace(engine(f"e{i}", *sorted(pairs)), groups=tuple(groups))
        for i, (pairs, groups) in enumerate(engines)
    ]
    long = [replace(info, pairs=tuple(Directions.of(info)), groups=()) for info in short]
    one, other = RoutePlanner(tuple(short)), RoutePlanner(tuple(long))
    assert one.routes(source, target) == other.routes(source, target)
    assert one.targets(source) == other.targets(source)
    assert one.sources() == other.sources()


pairs = st.sets(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=12)


@given(st.lists(pairs, min_size=1, max_size=3), st.sampled_from("abcde"), st.sampled_from("abcde"))
def test_every_route_joins_up_and_targets_are_exactly_what_has_a_route(
    engines: list[set[tuple[str, str]]], source: str, target: str
) -> None:
    planner = RoutePlanner(
        tuple(EngineInfo(f"e{i}", "translation", pairs=tuple(p)) for i, p in enumerate(engines)),
        first_pivot="a",
    )
    routes = planner.routes(source, target)
    assert len(routes) <= MAX_ROUTES
    for route in routes:
        assert route[0].source == source
        assert route[-1].target == target
        assert all(x.target == y.source for x, y in itertools.pairwise(route))
        assert all((s.source, s.target) in engines[int(s.engine[1:])] for s in route)
    if source != target:
        assert (target in planner.targets(source)) == bool(routes)
