// Captions as files. A segment is {start, end, text, translation}, and the languages of both may
// stand beside them as `language` and `target`; `which` is "text", "translation" or "both".

import { docx } from "./docx.js";
import { download, make } from "./dom.js";

const FORMATS = {
  txt: { type: "text/plain", write: toText },
  srt: { type: "application/x-subrip", write: toSrt },
  vtt: { type: "text/vtt", write: toVtt },
  json: { type: "application/json", write: toJson },
  docx: {
    type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    write: toDocx,
  },
};

function lines(segment, which) {
  const found = which === "both" ? [segment.text, segment.translation] : [segment[which]];
  return found.map((text) => (text ?? "").replace(/\s+/g, " ").trim()).filter(Boolean);
}

function clock(seconds, mark) {
  const all = Math.max(0, Math.round(seconds * 1000));
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const whole = `${two(all / 3_600_000)}:${two((all / 60_000) % 60)}:${two((all / 1000) % 60)}`;
  return `${whole}${mark}${String(all % 1000).padStart(3, "0")}`;
}

// 1:05, or 1:02:03 from an hour on.
export function shortTime(seconds) {
  const [hours, minutes, rest] = clock(Math.floor(seconds), ".").slice(0, 8).split(":");
  return Number(hours) ? `${Number(hours)}:${minutes}:${rest}` : `${Number(minutes)}:${rest}`;
}

const told = (segments, which) => segments.filter((segment) => lines(segment, which).length);

export function toText(segments, which) {
  return told(segments, which).map((segment) => `${lines(segment, which).join("\n")}\n`).join("");
}

export function toSrt(segments, which) {
  const cues = told(segments, which).map((segment, index) => {
    const times = `${clock(segment.start, ",")} --> ${clock(segment.end, ",")}`;
    return `${index + 1}\n${times}\n${lines(segment, which).join("\n")}\n`;
  });
  return cues.join("\n");
}

export function toVtt(segments, which) {
  const escape = (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const cues = told(segments, which).map((segment) => {
    const times = `${clock(segment.start, ".")} --> ${clock(segment.end, ".")}`;
    return `\n${times}\n${lines(segment, which).map(escape).join("\n")}\n`;
  });
  return `WEBVTT\n${cues.join("")}`;
}

export function toJson(segments, which) {
  const plain = segments.map(({ start, end, text, translation }) => ({
    start,
    end,
    ...(which === "translation" ? {} : { text }),
    ...(which === "text" ? {} : { translation }),
  }));
  return `${JSON.stringify({ segments: plain }, null, 2)}\n`;
}

// heads: the names of the two languages, for the columns of a table.
export function toDocx(segments, which, heads) {
  const both = which === "both" && segments.some(({ translation }) => translation);
  const columns = both ? ["text", "translation"] : [which === "both" ? "text" : which];
  const rows = told(segments, which).map((segment) => ({
    time: shortTime(segment.start),
    texts: columns.map((column) => ({
      text: lines(segment, column)[0] ?? "",
      lang: (column === "text" ? segment.language : segment.target) ?? "",
    })),
  }));
  return docx(rows, heads);
}

// A button for each format; `source()` gives {segments, which, name, heads} when one is pressed.
export function exportButtons(place, formats, source) {
  for (const format of formats) {
    const button = make("button", { type: "button", textContent: format.toUpperCase() });
    button.addEventListener("click", () => {
      const { segments, which, name, heads } = source();
      const { type, write } = FORMATS[format];
      download(`${name}.${format}`, type, write(segments, which, heads));
    });
    place.append(button);
  }
}
