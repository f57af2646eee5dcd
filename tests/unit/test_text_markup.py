"""HTML through a plan, with functions in place of engines."""

import re
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import InvalidMarkup
from speech_translator.text.markup import MAX_DEPTH, units
from speech_translator.text.markup_tokens import tokenize
from tests.support.plans import run_plan


def html(document: str, translate=str.upper) -> str:
    return run_plan(document, translate, "html")[0]


def asked(document: str) -> list[str]:
    rounds = run_plan(document, str, "html")[1]
    return [sentence for one in rounds for sentence in one]


FRAGMENTS = st.sampled_from(
    ["<b>", "</b>", "<i>", "</i>", "<p>", "</p>", "<div>", "</div>", "<br>", "<a href='x>y'>",
     "</a>",
     "<code>", "</code>", "<span translate=no>", "<span class='notranslate'>", "</span>",
     "<!-- c -->",
     "<!--", "-->", "<script>", "</script>", "<img src=x alt='a cat'>", "&amp;", "&copy", "&notit;",
     "&#0;", "&#x41;", "&nbsp;", " ", "\n", "Hello", "world.", "{x}", "%s", "https://a.b/c.",
     "<", "</",
     "\U0001f600", "<!doctype html>", "<?php x ?>", "\ufdd0", "é", '"', "'", "=", '<a title="',
     "<li>",
     "<textarea>", "</textarea>", "<td>", "<title>", "<pre>", "</pre>", "(1)", "XQ1", "```", "<p/>",
     "<div translate='yes'>", "<svg>", "</svg>"]
)  # fmt: skip
DOCUMENTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=30).map("".join)


@given(DOCUMENTS)
def test_an_identity_translator_gives_the_document_back_byte_for_byte(document: str) -> None:
    assert html(document, str) == document


@given(DOCUMENTS)
def test_tokens_cover_the_document_without_gaps(document: str) -> None:
    at = 0
    for token in tokenize(document):
        assert token.start == at < token.end
        at = token.end
    assert at == len(document)


class _Structure(HTMLParser):
    """What a browser would see but for the words."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, str]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(("start", tag))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("end", tag))


@given(st.text(), st.sampled_from(["<p>{}</p>", "<p>a <b>{} c</b> d</p>", '<i title="x">{}</i>']))
def test_translations_are_escaped_and_never_become_markup(words: str, frame: str) -> None:
    document = frame.format("Hello")
    result = html(document, lambda text: text.replace("Hello", words).replace("x", words))
    assert _Structure(result).tags == _Structure(document).tags


def test_entities_are_decoded_before_and_escaped_once_after() -> None:
    document = "<p>Fish &amp; chips &lt; &eacute;t&eacute; &#x1F600; caf&eacute</p>"
    assert asked(document) == ["Fish & chips < été XQ1 café"]
    assert html(document) == "<p>FISH &amp; CHIPS &lt; ÉTÉ &#x1F600; CAFÉ</p>"
    assert html(html(document)) == html(document)


def test_an_entity_of_two_characters_is_written_once() -> None:
    unit = units("a &nrarrw; b")[0]
    assert len(unit.text) == 6
    assert "".join(unit.written(n, n + 1) for n in range(len(unit.text))) == "a &nrarrw; b"


def test_blocks_are_asked_apart_and_line_breaks_are_only_spaces() -> None:
    document = "<h1>One\n  two</h1><ul><li>Three<li>Four. Five</ul><p>six<br>seven"
    assert asked(document) == ["One two", "Three", "Four.", "Five", "six", "seven"]
    assert html(document) == "<h1>ONE TWO</h1><ul><li>THREE<li>FOUR. FIVE</ul><p>SIX<br>SEVEN"


@pytest.mark.parametrize(
    "kept",
    [
        "<script>var a = 'Hello' < 3</script>",
        "<style>p { color: red }</style>",
        "<textarea>Hello</textarea>",
        "<code>git push</code>",
        "<pre>Hello\n  <b>world</b></pre>",
        "<kbd>Ctrl</kbd>",
        "<!-- Hello <b> -->",
        '<span translate="no">Hello <i>you</i></span>',
        "<span translate=NO>Hello</span>",
        '<span class="a notranslate b">Hello</span>',
        "<div class=notranslate><p>Hello</p></div>",
        "<svg><title>Hello</title><path d='M0'/></svg>",
        "<!doctype html>",
        "<?php echo Hello ?>",
        "<input value='Hello'>",
        "<a data-x='Hello' href='/Hello'></a>",
    ],
)
def test_what_is_not_for_readers_is_kept(kept: str) -> None:
    assert html(f"<p>Before</p>{kept}<p>after</p>") == f"<p>BEFORE</p>{kept}<p>AFTER</p>"
    inside = html(f"<p>see {kept} now</p>")
    assert kept in inside
    assert "SEE" in inside
    assert "NOW" in inside


def test_translate_yes_inside_of_translate_no() -> None:
    document = "<div translate=no>Foo <p translate=yes>hello</p> bar</div> out"
    assert html(document) == "<div translate=no>Foo <p translate=yes>HELLO</p> bar</div> OUT"


def test_a_class_that_only_looks_like_notranslate() -> None:
    assert html("<b class='notranslates'>x</b>") == "<b class='notranslates'>X</b>"
    assert html("<b title=\"class='notranslate'\">x</b>").endswith(">X</b>")


def test_inline_elements_come_back_around_their_words() -> None:
    answers = {
        "The (1) red (2) car is (3) fast (4).": "O carro (1) vermelho (2) é (3) rápido (4).",
    }
    result = html("<p>The <b>red</b> car is <a href=x>fast</a>.</p>", answers.__getitem__)
    assert result == "<p>O carro <b>vermelho</b> é <a href=x>rápido</a>.</p>"


def test_elements_may_change_places() -> None:
    answer = "(3) carro (4) (1) vermelho (2) bom"
    result = html("<p><b>red</b> <i>car</i> good</p>", lambda _: answer)
    assert result == "<p><i>carro</i> <b>vermelho</b> bom</p>"


@pytest.mark.parametrize(
    "answer",
    [
        "(1) um (3) dois (2) três (4) q",  # crossing
        "(2) um (1) dois (3) três (4) q",  # closed before it is opened
        "(1) (2) um dois (3) três (4) q",  # nothing left inside
        "(1) um (3) dois (4) (2) três q",  # one inside of the other now
        "(1) um (2) dois (3) três q",  # lost
    ],
)
def test_tags_in_the_wrong_places_have_the_pieces_translated(answer: str) -> None:
    document = "<p>a <b>one</b> two <i>three</i> q</p>"
    first = "a (1) one (2) two (3) three (4) q"

    def translate(text: str) -> str:
        if "XQ" in text:
            return "lost"
        return answer if text == first else f"[{text}]"

    result = html(document, translate)
    assert result == "<p>[a] <b>[one]</b> [two] <i>[three]</i> [q]</p>"


def test_tags_that_are_lost_are_tried_again_as_names() -> None:
    replies = {"see (1) here (2) now": "vê aqui", "see XQ1 here XQ2 now": "veja XQ1 aqui XQ2 já"}
    result, rounds = run_plan("<p>see <b>here</b> now</p>", replies.__getitem__, "html")
    assert result == "<p>veja <b>aqui</b> já</p>"
    assert len(rounds) == 2


def test_an_element_over_two_sentences() -> None:
    document = "<p>One <b>two. Three</b> four.</p>"
    assert asked(document) == ["One (1) two.", "Three (1) four."]
    assert html(document) == "<p>ONE <b>TWO. THREE</b> FOUR.</p>"


def test_tags_around_a_whole_sentence_are_not_shown() -> None:
    document = "<p><b><i>One two.</i></b> \U0001f600 <u>Three</u></p>"
    assert asked(document) == ["One two.", "Three"]
    assert html(document) == "<p><b><i>ONE TWO.</i></b> \U0001f600 <u>THREE</u></p>"


def test_a_tag_inside_a_word_moves_to_its_border() -> None:
    document = "<p>un<b>believ</b>able and <i>O</i>nce</p>"
    assert asked(document) == ["(1) unbelievable (2) and (3) Once (4)"]
    assert html(document) == "<p><b>UNBELIEVABLE</b> AND <i>ONCE</i></p>"


def test_spaces_beside_tags_are_where_they_were() -> None:
    document = "<p>Say \u201c<b>yes</b>\u201d, (<i>no</i>) or<b> maybe </b>now <img src=a>!</p>"
    expected = "<p>SAY \u201c<b>YES</b>\u201d, (<i>NO</i>) OR<b> MAYBE </b>NOW <img src=a>!</p>"
    assert html(document) == expected


def test_a_tag_before_punctuation_leaves_no_space() -> None:
    result = html("<p>a <b>one</b> two</p>", lambda _: "dois (1) um (2), e só")
    assert result == "<p>dois <b>um</b>, e só</p>"


def test_pieces_are_escaped_and_keep_their_spelling_where_nothing_changes() -> None:
    document = "<p>caf&eacute; {x} t&ecirc; {y} old</p>"
    replies = {"café": "café", "tê": "tê", "old": "<b>"}
    result = html(document, lambda text: replies.get(text, "lost"))
    assert result == "<p>caf&eacute; {x} t&ecirc; {y} &lt;b&gt;</p>"


def test_a_placeholder_that_would_swallow_a_tag_is_none() -> None:
    for document in ("```<b>", "`a <b>b</b> c`", "<p>{a <b>b</b> c} d</p>", "$$<i>x</i>$$"):
        assert html(document, str) == document
        assert html(document).count("<") == document.count("<")


def test_attributes_for_readers_are_translated() -> None:
    document = """<img alt="A &quot;red&quot; cat" src="cat"> <a title='Tom &amp; me'>x</a>"""
    assert asked(document)[:2] == ['A "red" cat', "Tom & me"]
    assert html(document) == (
        """<img alt="A &quot;RED&quot; CAT" src="cat"> <a title='TOM &amp; ME'>X</a>"""
    )
    assert html("<i title='a'>x</i>", lambda _: 'it\'s "<b>"') == (
        "<i title='it&#x27;s &quot;&lt;b&gt;&quot;'>it's \"&lt;b&gt;\"</i>"
    )
    kept = '<img alt="cat" translate="no"><p translate=no><img alt="dog"></p>'
    assert html(kept) == kept


def test_glossary_terms_in_html_are_escaped() -> None:
    result = run_plan("<p>our cloud</p>", str, "html", {"cloud": "R&D"})[0]
    assert result == "<p>our R&amp;D</p>"


def test_nesting_has_a_limit() -> None:
    allowed = "<div>" * MAX_DEPTH + "x"
    assert html(allowed) == "<div>" * MAX_DEPTH + "X"
    with pytest.raises(InvalidMarkup):
        html("<div>" + allowed)
    with pytest.raises(InvalidMarkup):
        html("<b>x " * 100_000)


def test_elements_that_end_by_themselves_do_not_nest() -> None:
    for piece in ("<li>x", "<p>x", "<tr><td>x", "<option>x", "<dt>x<dd>y", "<br>", "<img>", "<b/>"):
        assert html(piece * (MAX_DEPTH + 10), str) == piece * (MAX_DEPTH + 10)


HOSTILE = [
    "<div></div>", "<b>x</b>", "</b>", "<", "<!", "<!--", "<a ", "<a x=", '<a x="', "<a x='",
    "<p>a",
    "<li>a", "<b>a</b> ", "<b>a.</b> ", "&", "&amp", "&#1;", "<script>", "<script></script>",
    "</script",
    "<?", "<![CDATA[", "<br/>", "<span translate=no>x</span> y ", "a<!-- c -->b ",
    "<b>{x}</b>", "  ",
    "\n", "\U0001f600<b>x</b>", "(1) <b>x</b> ", '<a class="', "<img alt='a b'>", "<!-- <",
    "\ufdd0",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_documents_take_linear_time(piece: str) -> None:
    # Quadratic time over 60,000 characters would run into the timeout.
    document = piece * (60_000 // len(piece))
    assert html(document, str) == document
    assert _steps(piece * 200) < 2.6 * _steps(piece * 100) + 500


def _steps(document: str) -> int:
    """Lines of ours that run for one document."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if "speech_translator" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        html(document, str)
    finally:
        sys.settrace(before)
    return count


def test_every_hidden_character_is_kept() -> None:
    document = "<p>a\ufdd0b <b>c\ufdd0</b> d</p>"
    assert html(document) == "<p>A\ufdd0B <b>C\ufdd0</b> D</p>"
    assert re.search("\ufdd0", html(document))
