"""Transcripts as documents for word processors: WordprocessingML in a ZIP (ECMA-376).

A transcript needs five small parts. Each text carries its language, for spelling and hyphenation,
and its direction; the libraries that write such documents set neither.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from html import escape

from speech_translator.exports.cues import segments_of, text_of
from speech_translator.languages import Language
from speech_translator.scalability.results import TranscribedSegment, Transcription

DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PART_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same transcript is the same file
_TIME_WIDTH, _WIDTH = 1000, 9638  # twentieths of a point, between the margins of A4
_NO_XML = re.compile("[\ufffe\uffff]")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})

_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_PART_TYPE}.document.main+xml"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{_PART_TYPE}.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_RELATIONS}/officeDocument" Target="word/document.xml"/></Relationships>'
    ),
    "word/_rels/document.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>'
    ),
    "word/styles.xml": (
        f'<w:styles xmlns:w="{_NAMESPACE}"><w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/>'
        '<w:szCs w:val="22"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>'
        '<w:spacing w:after="120" w:line="264" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
        '</w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal">'
        '<w:name w:val="Normal"/><w:qFormat/></w:style><w:style w:type="table" w:default="1" '
        'w:styleId="TableNormal"><w:name w:val="Normal Table"/><w:tblPr><w:tblCellMar>'
        '<w:left w:w="108" w:type="dxa"/><w:right w:w="108" w:type="dxa"/></w:tblCellMar>'
        '</w:tblPr></w:style><w:style w:type="character" w:customStyle="1" w:styleId="Time">'
        '<w:name w:val="Time"/><w:rPr><w:color w:val="595959"/><w:sz w:val="18"/>'
        '<w:szCs w:val="18"/></w:rPr></w:style></w:styles>'
    ),
}


def to_docx(
    source: Transcription | Iterable[TranscribedSegment], *, translated: bool = False
) -> bytes:
    """A document: a paragraph for each segment behind its time, or with ``translated`` a table.

    The table has what was said beside its translation, and a head that is repeated on each page.

    Raises:
        ValueError: translations are asked for and a segment has none.
    """
    said = source.language if isinstance(source, Transcription) else None
    target = None
    if isinstance(source, Transcription) and source.translation is not None:
        target = source.translation.target
    rows = []
    for segment in segments_of(source):
        texts = [text_of(segment, translated=False)]
        if translated:
            texts.append(text_of(segment, translated=True))
        if any(texts):
            rows.append((_clock(segment.start), texts))
    if translated:
        heads = [said.name if said else "Text", target.name if target else "Translation"]
        body = _table(heads, rows, [said, target])
    else:
        body = "".join(_line(time, text, said) for time, [text] in rows)
    return _zipped(body)


def _zipped(body: str) -> bytes:
    document = (
        f'<w:document xmlns:w="{_NAMESPACE}"><w:body>{body}<w:sectPr>'
        '<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1134" w:right="1134" w:bottom="1134" '
        'w:left="1134" w:header="709" w:footer="709" w:gutter="0"/></w:sectPr></w:body>'
        "</w:document>"
    )
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {**_PARTS, "word/document.xml": document}.items():
            info = zipfile.ZipInfo(name, _WHEN)
            archive.writestr(info, _HEAD + part, zipfile.ZIP_DEFLATED)
    return found.getvalue()


def _table(
    heads: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    languages: Sequence[Language | None],
) -> str:
    width = (_WIDTH - _TIME_WIDTH) // len(languages)
    widths = [_TIME_WIDTH, *[width] * len(languages)]
    line = '<w:{0} w:val="single" w:sz="4" w:space="0" w:color="BFBFBF"/>'
    borders = "".join(line.format(side) for side in ("top", "bottom", "insideH"))
    head = _row(widths, ["", *(_paragraph(_run(text, bold=True), text) for text in heads)])
    head = head.replace("<w:tr>", "<w:tr><w:trPr><w:tblHeader/></w:trPr>", 1)
    lines = (
        _row(
            widths,
            [
                _paragraph(_run(time, style="Time"), ""),
                *(
                    _paragraph(_run(text, language), text)
                    for text, language in zip(texts, languages, strict=True)
                ),
            ],
        )
        for time, texts in rows
    )
    columns = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl><w:tblPr><w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:tblBorders>{borders}'
        '</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr>'
        f"<w:tblGrid>{columns}</w:tblGrid>{head}{''.join(lines)}</w:tbl><w:p/>"
    )


def _row(widths: Sequence[int], cells: Sequence[str]) -> str:
    columns = (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{cell or "<w:p/>"}</w:tc>'
        for width, cell in zip(widths, cells, strict=True)
    )
    return f"<w:tr>{''.join(columns)}</w:tr>"


def _line(time: str, text: str, language: Language | None) -> str:
    return _paragraph(_run(f"{time}  ", style="Time") + _run(text, language), text)


def _paragraph(runs: str, text: str) -> str:
    """Runs in the direction of ``text``."""
    direction = "<w:pPr><w:bidi/></w:pPr>" if _is_right_to_left(text) else ""
    return f"<w:p>{direction}{runs}</w:p>"


def _run(
    text: str, language: Language | None = None, *, style: str = "", bold: bool = False
) -> str:
    tag = f'"{escape(language.tag)}"' if language else ""
    marks = [
        f'<w:rStyle w:val="{style}"/>' if style else "",
        "<w:b/><w:bCs/>" if bold else "",
        "<w:rtl/>" if _is_right_to_left(text) else "",
        f"<w:lang w:val={tag} w:eastAsia={tag} w:bidi={tag}/>" if tag else "",
    ]
    content = escape(_NO_XML.sub("", text), quote=False)
    return f'<w:r><w:rPr>{"".join(marks)}</w:rPr><w:t xml:space="preserve">{content}</w:t></w:r>'


def _is_right_to_left(text: str) -> bool:
    """By its first letter, as browsers do it for ``dir=auto``."""
    kinds = (unicodedata.bidirectional(character) for character in text)
    return next((kind for kind in kinds if kind in {"L", *_RIGHT_TO_LEFT}), "L") in _RIGHT_TO_LEFT


def _clock(seconds: float) -> str:
    """As in ``1:05``, or ``1:02:03`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
