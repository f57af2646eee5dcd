"""A time limit that a busy event loop does not use up.

A plain timer that is late, because the loop had other work to do, fires before the answer is read
that has long arrived: a burst of requests would look like a Redis that is lost.
"""

from __future__ import annotations

import asyncio
from typing import Self

STEPS = 5
"""Of which each takes a fifth of the time, where the loop has it."""


class Patience:
    """Ends its block with ``TimeoutError``, as ``asyncio.timeout`` does, but counts in steps.

    Between two of them the loop has looked for what arrived, however long it took for a step.

    Args:
        seconds: for all steps together, where the loop has time.
    """

    def __init__(self, seconds: float) -> None:
        self._step_s = seconds / STEPS
        self._left = STEPS

    async def __aenter__(self) -> Self:
        """Begin to count."""
        self._loop = asyncio.get_running_loop()
        self._scope = asyncio.timeout(None)
        await self._scope.__aenter__()
        self._timer = self._loop.call_later(self._step_s, self._step)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Count no more."""
        self._timer.cancel()
        await self._scope.__aexit__(*error)  # type: ignore[arg-type] # passed on as it came

    def _step(self) -> None:
        self._left -= 1
        if self._left:
            self._timer = self._loop.call_later(self._step_s, self._step)
        else:
            self._scope.reschedule(self._loop.time())
