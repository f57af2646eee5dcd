from scripts import reference


def test_the_reference_is_what_the_code_says() -> None:
    """`python scripts/reference.py` mends it."""
    assert reference.TARGET.read_text(encoding="utf-8") == reference.render()
