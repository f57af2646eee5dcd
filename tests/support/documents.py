"""Reads word processors' documents, as far as tests look at them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARTS = ("[Content_Types].xml", "_rels/.rels", "word/document.xml", "word/styles.xml")


@dataclass(frozen=True)
class Document:
    """``paragraphs`` outside of tables; ``rows`` of tables; the languages of all that is said."""

    paragraphs: list[str]
    rows: list[list[str]]
    languages: list[str]
    right_to_left: list[str]


def read_docx(data: bytes) -> Document:
    """A document, whose archive and parts must be whole."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert set(_PARTS) <= set(archive.namelist())
        parts = {
            name: ET.fromstring(archive.read(name))  # noqa: S314 - our own
            for name in archive.namelist()
        }
    body = parts["word/document.xml"].find(f"{_W}body")
    assert body is not None
    rows = [[_text(cell) for cell in row.iter(f"{_W}tc")] for row in body.iter(f"{_W}tr")]
    plain = [_text(paragraph) for paragraph in body.findall(f"{_W}p")]
    marked = [lang.get(f"{_W}val", "") for lang in body.iter(f"{_W}lang")]
    turned = [
        _text(paragraph) for paragraph in body.iter(f"{_W}p") if list(paragraph.iter(f"{_W}bidi"))
    ]
    return Document([text for text in plain if text], rows, marked, turned)


def _text(element: ET.Element) -> str:
    return "".join(text.text or "" for text in element.iter(f"{_W}t"))
