"""Generated sentences with placeholders, glossary terms and tags, for tests and proofs.

Each case names what must be found in the translation, and how often.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

FRAMES = {
    "en": """
Hello {}, welcome back!
You have {} new messages.
The file {} could not be found.
Please visit {} for more information.
{} sent you an invitation to {}.
Contact us at {} before {}.
Dear {}, your order {} has been shipped to {}.
Run {} to start the server.
{} is not a valid value.
Our product {} is now available in Brazil.
The price of {} is lower than the price of {}.
Do not forget to update {} and {} on Monday.
{}: the operation failed.
Click {} to continue.
She works at {} with {}.
If you want to know more about {}, read the book.
I bought three {} yesterday.
We use {} to store the data because it is fast.
Thanks, {}!
Are you sure you want to delete {}?
{} of {} users liked this.
The first is {}. The second is {}!
Between {}, {} and {} there was no difference ({}).
(see {})
"{}" was not found.
""",
    "pt": """
Olá {}, bem-vindo de volta!
Você tem {} mensagens novas.
O arquivo {} não foi encontrado.
Visite {} para mais informações.
{} enviou a você um convite para {}.
Fale conosco em {} antes de {}.
Caro {}, seu pedido {} foi enviado para {}.
Execute {} para iniciar o servidor.
{} não é um valor válido.
Nosso produto {} já está disponível no Brasil.
O preço de {} é menor que o preço de {}.
Não se esqueça de atualizar {} e {} na segunda-feira.
{}: a operação falhou.
Clique em {} para continuar.
Ela trabalha na {} com {}.
Se quiser saber mais sobre {}, leia o livro.
Comprei três {} ontem.
Usamos {} para guardar os dados porque é rápido.
Obrigado, {}!
Tem certeza de que deseja excluir {}?
{} de {} usuários gostaram disso.
O primeiro é {}. O segundo é {}!
Entre {}, {} e {} não houve diferença ({}).
(veja {})
"{}" não foi encontrado.
""",
}
PLACEHOLDERS = [
    *("{name}", "{0}", "{}", "{{count}}", "{{ user.name }}", "${total}", "#{id}", "%{value}"),
    *("%s", "%d", "%1$s", "%(n)d", "%.2f", "%@", "$HOME", "$(pwd)", "<%= title %>", "[[Page]]"),
    *("https://example.com/a?b=1&c=2", "http://a.io", "www.example.org/x_y", "me@example.com"),
    *("@jack_d", "#release2", "`pip install x`", "``a`b``", "/usr/lib/python", "C:\\temp\\a.txt"),
    *("&nbsp;", "Acme\u2122", "\U0001f600", "\U0001f1e7\U0001f1f7", "/user/{id}/edit", "{a}-{b}"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "~/.config/app", "\\(x^2\\)", "example.com"),
    *("{n, plural, one {# item} other {# items}}", "docs.example.com/guide", "u+t@mail.co.uk"),
]
TERMS = {
    "Blue Widget": "Blue Widget",
    "Zephyr": "Zephyr",
    "Acme Corp.": "Acme Corp.",
    "quixel": "quixelador",
    "flux drive": "motor de fluxo",
    "Nimbus": "Núvem-X",
    "São Quixote": "St. Quixote",
}
BREAKS = ("\n", "\r\n", "\n\n", "\n \n", "\n\n\n", " ", "\t", "\n- ", "\n1. ")
TAGS = [("<b>", "</b>"), ("<i>", "</i>"), ('<a href="/x?a=1&amp;b=2">', "</a>"), ("<em>", "</em>")]


@dataclass(frozen=True)
class Case:
    """A text with what its translation must hold."""

    source: str
    target: str
    text: str
    text_format: Literal["text", "html"] = "text"
    glossary: dict[str, str] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)


PAIRS = (("en", "pt"), ("pt", "en"))


def cases(number: int, seed: int = 2, pairs: Sequence[tuple[str, str]] = PAIRS) -> Iterator[Case]:
    """``number`` cases out of English or Portuguese, the same for the same seed."""
    dice = random.Random(seed)
    makers = (_placeholders, _terms, _tags)
    for _ in range(number):
        source, target = dice.choice(pairs)
        frame = dice.choice(FRAMES[source].strip().splitlines())
        yield dice.choices(makers, [5, 3, 2])[0](dice, source, target, frame)


def shouted_and_broken(
    number: int, seed: int = 3, pairs: Sequence[tuple[str, str]] = PAIRS
) -> Iterator[Case]:
    """Several placeholders' sentences on lines of their own, some in capitals."""
    dice = random.Random(seed)
    for _ in range(number):
        source, target = dice.choice(pairs)
        frames = FRAMES[source].strip().splitlines()
        parts: list[str] = []
        kept: Counter[str] = Counter()
        for _ in range(dice.randint(1, 3)):
            frame = dice.choice(frames)
            frame = frame.upper() if dice.random() < 0.5 else frame
            case = _placeholders(dice, source, target, frame)
            parts += (case.text, dice.choice(BREAKS))
            kept += case.kept
        yield Case(source, target, "".join(parts), kept=kept)


def with_numbers(source: str, number: int, seed: int = 4) -> Iterator[str]:
    """Sentences with plain numbers, decimals, years and amounts in them."""
    dice = random.Random(seed)
    frames = [frame for frame in FRAMES[source].strip().splitlines() if "{}" in frame]
    for _ in range(number):
        frame = dice.choice(frames)
        values = [
            dice.choice(
                (f"{dice.randint(13, 9999)}", f"{dice.randint(1, 99)}.{dice.randint(1, 9)}")
            )
            for _ in range(frame.count("{}"))
        ]
        yield _filled(frame, values)


def digits_kept(text: str, translation: str) -> bool:
    """Whether the same numbers are there; an engine may write the decimal sign of its language."""
    return _numbers(text) == _numbers(translation)


def _numbers(text: str) -> list[str]:
    return sorted(found.replace(",", ".") for found in re.findall(r"\d+(?:[.,]\d+)*", text))


def shape(text: str) -> list[tuple[str, bool]]:
    """A text's line breaks, in order, and which of its lines are blank."""
    pieces = re.split(r"(\r\n|\n|\t)", text)
    return [
        (ending, not line.strip())
        for line, ending in zip(pieces[::2], [*pieces[1::2], ""], strict=True)
    ]


def _placeholders(dice: random.Random, source: str, target: str, frame: str) -> Case:
    chosen = [dice.choice(PLACEHOLDERS) for _ in range(frame.count("{}"))]
    return Case(source, target, _filled(frame, chosen), kept=Counter(chosen))


def _terms(dice: random.Random, source: str, target: str, frame: str) -> Case:
    terms = dice.sample(sorted(TERMS), k=frame.count("{}"))
    kept = Counter(TERMS[term] for term in terms)
    if frame.startswith("{}") and terms[0].islower() and dice.random() < 0.5:
        first = TERMS[terms[0]]
        kept.subtract([first])
        kept.update([first[:1].upper() + first[1:]])
        terms = [terms[0][:1].upper() + terms[0][1:], *terms[1:]]
    return Case(source, target, _filled(frame, terms), glossary=dict(TERMS), kept=+kept)


def _tags(dice: random.Random, source: str, target: str, frame: str) -> Case:
    """Tags around words, so that the frame's own words are inside of them."""
    words = frame.replace("{}", "2").split()
    kept: Counter[str] = Counter()
    for _ in range(dice.randint(1, 3)):
        opening, closing = dice.choice(TAGS)
        start = dice.randrange(len(words))
        end = dice.randrange(start, min(len(words), start + 3))
        words[start] = opening + words[start]
        words[end] += closing
        kept.update((opening, closing))
    return Case(source, target, f"<p>{' '.join(words)}</p>", "html", kept=kept)


def _filled(frame: str, values: list[str]) -> str:
    first, *pieces = frame.split("{}")
    return first + "".join(v + p for v, p in zip(values, pieces, strict=True))


def missing(case: Case, translation: str) -> list[str]:
    """What the translation does not hold as often as it must."""
    return [what for what, often in case.kept.items() if translation.count(what) < often]
