"""Places for bodies that are read before it is known whose they are, as where the key is in them.

Whoever asks for one has shown nothing yet: without a bound, strangers who send slowly would take
all the requests that are served at the same time. One address has a few places, so that it takes
them from no other. Fails closed: without a place nothing is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from speech_translator.errors import Overloaded

PLACES = 128
PLACES_OF_ONE = 16
"""Of one address."""


class KeylessBodies:
    """Counts them, by address."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place as long as the block runs.

        Args:
            address: what counts as one; see ``guard.address_block``.

        Raises:
            Overloaded: all are taken, or all that this address may have.
        """
        if self._taken[address] >= PLACES_OF_ONE or self._taken.total() >= PLACES:
            raise Overloaded("Too many requests are read whose key is not known.", retry_after=1.0)
        self._taken[address] += 1
        try:
            yield
        finally:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
