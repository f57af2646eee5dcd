// Captions as a document for word processors: WordprocessingML in a ZIP (ECMA-376). The service
// writes the same in speech_translator/exports/docx.py; here nothing leaves the browser, and it
// needs no limit and no connection.

import { zip } from "./zip.js";

const MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PART = "application/vnd.openxmlformats-officedocument.wordprocessingml";
const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const TIME_WIDTH = 1000; // twentieths of a point
const WIDTH = 9638; // between the margins of A4
const RIGHT_TO_LEFT =
  /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

const relations = (type, target) =>
  `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="r1" ` +
  `Type="${RELATIONS}/${type}" Target="${target}"/></Relationships>`;

const PARTS = [
  [
    "[Content_Types].xml",
    `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ` +
      'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
      `<Override PartName="/word/document.xml" ContentType="${PART}.document.main+xml"/>` +
      `<Override PartName="/word/styles.xml" ContentType="${PART}.styles+xml"/></Types>`,
  ],
  ["_rels/.rels", relations("officeDocument", "word/document.xml")],
  ["word/_rels/document.xml.rels", relations("styles", "styles.xml")],
  [
    "word/styles.xml",
    `<w:styles xmlns:w="${MAIN}"><w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/>` +
      '<w:szCs w:val="22"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>' +
      '<w:spacing w:after="120" w:line="264" w:lineRule="auto"/></w:pPr></w:pPrDefault>' +
      '</w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal">' +
      '<w:name w:val="Normal"/><w:qFormat/></w:style><w:style w:type="table" w:default="1" ' +
      'w:styleId="TableNormal"><w:name w:val="Normal Table"/><w:tblPr><w:tblCellMar>' +
      '<w:left w:w="108" w:type="dxa"/><w:right w:w="108" w:type="dxa"/></w:tblCellMar>' +
      '</w:tblPr></w:style><w:style w:type="character" w:customStyle="1" w:styleId="Time">' +
      '<w:name w:val="Time"/><w:rPr><w:color w:val="595959"/><w:sz w:val="18"/>' +
      '<w:szCs w:val="18"/></w:rPr></w:style></w:styles>',
  ],
];

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
// What XML cannot hold at all is left out.
const escaped = (text) =>
  text.replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "").replace(/[&<>"]/g, (mark) => ESCAPES[mark]);

function run(text, { lang = "", style = "", bold = false } = {}) {
  const tag = `"${escaped(lang)}"`;
  const marks = [
    style && `<w:rStyle w:val="${style}"/>`,
    bold && "<w:b/><w:bCs/>",
    RIGHT_TO_LEFT.test(text) && "<w:rtl/>",
    lang && `<w:lang w:val=${tag} w:eastAsia=${tag} w:bidi=${tag}/>`,
  ];
  const content = `<w:t xml:space="preserve">${escaped(text)}</w:t>`;
  return `<w:r><w:rPr>${marks.filter(Boolean).join("")}</w:rPr>${content}</w:r>`;
}

function paragraph(runs, text) {
  const direction = RIGHT_TO_LEFT.test(text) ? "<w:pPr><w:bidi/></w:pPr>" : "";
  return `<w:p>${direction}${runs}</w:p>`;
}

function row(cells, widths, head = "") {
  const columns = cells.map(
    (cell, i) => `<w:tc><w:tcPr><w:tcW w:w="${widths[i]}" w:type="dxa"/></w:tcPr>${cell}</w:tc>`,
  );
  return `<w:tr>${head}${columns.join("")}</w:tr>`;
}

const time = (text) => run(text, { style: "Time" });

function table(lines, heads) {
  const width = Math.floor((WIDTH - TIME_WIDTH) / 2);
  const widths = [TIME_WIDTH, width, width];
  const borders = ["top", "bottom", "insideH"]
    .map((side) => `<w:${side} w:val="single" w:sz="4" w:space="0" w:color="BFBFBF"/>`)
    .join("");
  const names = heads.map((name) => paragraph(run(name, { bold: true }), name));
  const head = row(["<w:p/>", ...names], widths, "<w:trPr><w:tblHeader/></w:trPr>");
  const rows = lines.map((line) => {
    const texts = line.texts.map(({ text, lang }) => paragraph(run(text, { lang }), text));
    return row([paragraph(time(line.time), ""), ...texts], widths);
  });
  return (
    `<w:tbl><w:tblPr><w:tblW w:w="${TIME_WIDTH + 2 * width}" w:type="dxa"/><w:tblBorders>${borders}` +
    '</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>' +
    widths.map((one) => `<w:gridCol w:w="${one}"/>`).join("") +
    `</w:tblGrid>${head}${rows.join("")}</w:tbl><w:p/>`
  );
}

// lines: {time, texts: one or two of {text, lang}}; heads: the names of two columns. With one text
// each is a paragraph, with two a row of a table. A Blob's parts.
export function docx(lines, heads) {
  const alone = ({ time: at, texts: [{ text, lang }] }) =>
    paragraph(time(`${at}  `) + run(text, { lang }), text);
  const body = lines.some(({ texts }) => texts.length > 1)
    ? table(lines, heads)
    : lines.map(alone).join("");
  const document =
    `<w:document xmlns:w="${MAIN}"><w:body>${body}<w:sectPr>` +
    '<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1134" w:right="1134" w:bottom="1134" ' +
    'w:left="1134" w:header="709" w:footer="709" w:gutter="0"/></w:sectPr></w:body></w:document>';
  const parts = [...PARTS, ["word/document.xml", document]];
  return zip(parts.map(([name, part]) => [name, HEAD + part]));
}
