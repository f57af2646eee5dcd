"""What an owner may be called, and which names are taken."""

from __future__ import annotations

import re

from speech_translator.errors import InvalidField
from speech_translator.security.guard import ANONYMOUS
from speech_translator.storage.audit import ERASED

PAGE_OWNER = "page"
"""Whose the tokens are that the page on this machine gets in development."""

MAX_CHARS = 128

PRINTABLE = r"^[^\x00-\x1f\x7f]*$(?!\n)"
"""Of names: no control characters, which one of the databases cannot keep. ``$`` alone lets a line
end pass that is the last character."""

_PRINTABLE = re.compile(PRINTABLE)
_TAKEN = frozenset({ANONYMOUS, PAGE_OWNER})


def is_printable(text: str) -> bool:
    """Whether a text has no control characters, and can be encoded at all."""
    return bool(_PRINTABLE.search(text)) and not any("\ud800" <= one <= "\udfff" for one in text)


def check_name(name: str, field: str) -> None:
    """Refuse what no database can keep, or a log line show.

    Raises:
        InvalidField: it is too long, or has control characters.
    """
    if len(name) > MAX_CHARS or not is_printable(name):
        raise InvalidField(
            f"`{field}` has up to {MAX_CHARS} characters, and no control characters.", field=field
        )


def check_owner(name: str) -> None:
    """Refuse what nobody who is to have keys can be called.

    Raises:
        InvalidField: it cannot be kept, or stands for somebody else: for those without a key, for
            the page, or in the audit log for somebody who was erased.
    """
    check_name(name, "user_id")
    if not name or name in _TAKEN or name.startswith(ERASED):
        raise InvalidField("This `user_id` is the service's own; take another.", field="user_id")
