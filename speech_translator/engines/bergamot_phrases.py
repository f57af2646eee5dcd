"""What Bergamot's tiny models are known to get wrong, and what it should be. Data only.

The models were trained on whole sentences of the web; alone, some of the most frequent phrases of
speech come out as boilerplate ("Thank you." becomes "Obrigado por enviar uma edição."). Each entry
was found wrong with the revisions in ``bergamot.py``. Keys and values are in lower case without
punctuation; capitals and punctuation are taken from the text.
"""

from __future__ import annotations

from collections.abc import Mapping

PHRASES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("en", "pt"): {
        "about": "sobre",
        "breaking news": "notícias de última hora",
        "bye": "tchau",
        "bye bye": "tchau",
        "excuse me": "com licença",
        "hello": "olá",
        "hello world": "olá mundo",
        "hi there": "olá",
        "i'm sorry": "desculpe",
        "i am sorry": "desculpe",
        "january": "janeiro",
        "nice to meet you": "prazer em conhecê-lo",
        "of course": "claro",
        "page not found": "página não encontrada",
        "thank you": "obrigado",
        "thank you so much": "muito obrigado",
        "thank you very much": "muito obrigado",
        "thanks": "obrigado",
        "what time is it": "que horas são",
        "where are you from": "de onde você é",
        "you are welcome": "de nada",
        "you're welcome": "de nada",
    },
    ("pt", "en"): {
        "até logo": "see you later",
        "boa sorte": "good luck",
        "com licença": "excuse me",
        "de nada": "you're welcome",
        "feliz aniversário": "happy birthday",
        "obrigada": "thank you",
        "obrigado": "thank you",
        "oi": "hi",
        "olá": "hello",
        "olá mundo": "hello world",
        "prazer em conhecê-la": "nice to meet you",
        "prazer em conhecê-lo": "nice to meet you",
        "sobre nós": "about us",
        "socorro": "help",
        "tchau": "bye",
        "é verdade": "that's true",
        "água": "water",
        "cancelar": "cancel",
        "contato": "contact",
    },
}
