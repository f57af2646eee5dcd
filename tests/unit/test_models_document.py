from scripts import models


def test_the_document_is_what_the_catalog_says() -> None:
    """`python scripts/models.py` mends it."""
    assert models.TARGET.read_text(encoding="utf-8") == models.render()
