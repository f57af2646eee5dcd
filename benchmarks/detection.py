"""How often the language of a text is told right, not told, or told wrong.

The sentences of ``parallel_text.tsv`` in full, their first three words and their first word, and
short greetings in other scripts. A wrong answer sends a text to the wrong engine, whereas "not
sure" asks the caller; so what is barred is wrong answers. A single word may belong to two
languages ("no", "a"), and so those have a bar of their own.
"""

from __future__ import annotations

import sys
from collections import Counter

from benchmarks import report, translation
from speech_translator.text import detect_language

SCRIPTS = {
    "ar": ("مرحبا", "شكرا جزيلا", "كيف حالك اليوم"),
    "el": ("καλημέρα", "ευχαριστώ πολύ"),
    "he": ("שלום", "תודה רבה"),
    "hi": ("नमस्ते", "आप कैसे हैं"),
    "ja": ("こんにちは", "ありがとうございます", "駅はどこですか"),
    "ko": ("안녕하세요", "감사합니다"),
    "ru": ("здравствуйте", "большое спасибо", "где находится вокзал"),
    "th": ("สวัสดี", "ขอบคุณมาก"),
    "zh": ("你好", "谢谢", "火车站在哪里"),
}
BARS = {"sentence": 1.0, "three words": 3.0, "one word": 6.0, "other scripts": 0.0}
"""Most wrong answers, in percent."""


def samples() -> dict[str, list[tuple[str, str]]]:
    """Texts with their languages, by kind."""
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in BARS}
    for language, sentences in translation.parallel().items():
        for sentence in sentences:
            words = sentence.split()
            found["sentence"].append((sentence, language))
            if len(words) > 3:
                found["three words"].append((" ".join(words[:3]), language))
                found["one word"].append((words[0], language))
    found["other scripts"] = [(text, key) for key, texts in SCRIPTS.items() for text in texts]
    return found


def main() -> int:
    """Measure, keep, and say whether the bars hold."""
    rows = {}
    for kind, texts in samples().items():
        told: Counter[str] = Counter()
        wrong = []
        for text, language in texts:
            answer = detect_language(text).language
            if answer is None:
                told["not_sure"] += 1
            elif answer.key == language:
                told["right"] += 1
            else:
                told["wrong"] += 1
                wrong.append(f"{text} ({language}): {answer.key}")
        shares = {
            f"{name}_percent": round(100 * told[name] / len(texts), 1)
            for name in ("right", "not_sure", "wrong")
        }
        rows[kind] = {
            "texts": len(texts),
            **shares,
            "bar_wrong_percent": BARS[kind],
            "holds": shares["wrong_percent"] <= BARS[kind],
            "wrong": wrong[:10],
        }
    report.write("detection", {"kinds": rows})
    return 0 if all(row["holds"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
