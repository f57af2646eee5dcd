"""The figures in the documentation are those that were measured."""

from benchmarks.quality_table import BEGIN, DOCUMENT, END, kept, tables


def test_the_document_holds_the_figures_of_the_results() -> None:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    assert rest.partition(END)[0].strip() == tables(kept())
