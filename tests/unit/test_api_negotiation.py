import pytest
from starlette.datastructures import Headers

from speech_translator.api.negotiation import preferred_type

JSON, HTML = "application/json", "text/html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("text/html;q=0.5, application/json;q=0.9", JSON),
        ("text/*", HTML),
        ("application/json;q=0, */*", HTML),
        ("image/png", JSON),
        ("text/html;q=nonsense", JSON),
        (";;;,,,", JSON),
        ("TEXT/HTML", HTML),
    ],
)
def test_the_preferred_type_wins(accept, expected):
    headers = Headers({"accept": accept} if accept else {})
    assert preferred_type(headers, (JSON, HTML), default=JSON) == expected
