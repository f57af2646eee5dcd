"""Where live sessions are kept in unit tests."""

from __future__ import annotations


class MemorySessions:
    """A ``SessionStore`` in memory."""

    def __init__(self) -> None:
        self.sessions: dict[str, list[object]] = {}

    async def create(self, session_id: str, owner: str, token: bytes, state: bytes) -> None:
        self.sessions[session_id] = [owner, token, 1, state]

    async def save(self, session_id: str, epoch: int, state: bytes) -> bool:
        kept = self.sessions.get(session_id)
        if kept is None or kept[2] != epoch:
            return False
        kept[3] = state
        return True

    async def take(self, token: bytes, owner: str, new_token: bytes):  # type: ignore[no-untyped-def]
        for session_id, kept in self.sessions.items():
            if kept[0] == owner and kept[1] == token:
                kept[1], kept[2] = new_token, kept[2] + 1  # type: ignore[operator]
                return session_id, kept[2], kept[3]
        return None

    async def end(self, session_id: str, epoch: int) -> None:
        if self.sessions[session_id][2] == epoch:
            del self.sessions[session_id]
