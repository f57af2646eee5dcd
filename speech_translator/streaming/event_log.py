"""What a session has told its client: numbered, and what of it outlives a connection. Pure."""

from __future__ import annotations

from collections import deque

from msgspec.structs import replace

from speech_translator.languages import Language
from speech_translator.streaming.messages import (
    Ack,
    Failed,
    Final,
    ServerEvent,
    UpdateMessage,
    restarted,
)
from speech_translator.streaming.resuming import KEPT_FINALS, SessionState
from speech_translator.streaming.work import Action, Save, Send


class EventLog:
    """Numbers events, and says when the session must be kept.

    Args:
        state: what the session had come to before.
        last_seq: the last event that its client saw.
    """

    def __init__(self, state: SessionState, last_seq: int) -> None:
        self._state = state
        self._seq = max(state.seq, last_seq)
        # What the client has seen is kept for those who read along; the rest is told anew.
        seen = [(seq, event) for seq, event in state.told if seq <= last_seq]
        self._told: deque[tuple[int, Final | Failed]] = deque(seen, maxlen=KEPT_FINALS)
        self._unsaved = False

    def add(self, event: ServerEvent) -> Send:
        """Give an event its number."""
        self._seq += 1
        if isinstance(event, Final) or (isinstance(event, Failed) and event.segment_id is not None):
            self._told.append((self._seq, event))
            self._unsaved = True
        self._unsaved |= isinstance(event, Ack)
        return Send(self._seq, event)

    def unshare(self) -> None:
        """Others read the session no longer, also when it goes on over another connection."""
        self._state = replace(self._state, share=None)
        self._unsaved = True

    def update(self, message: UpdateMessage) -> None:
        """The session is wanted otherwise, also when it goes on over another connection."""
        self._state = replace(self._state, start=restarted(self._state.start, message))
        self._unsaved = True

    def guard(
        self,
        actions: list[Action],
        *,
        window: int,
        segments: int,
        finals: int,
        language: Language | None,
    ) -> None:
        """Put the keeping of the session before what a client may rely on.

        Args:
            actions: to be performed next; changed in place.
            window: audio before it is dealt with.
            segments: utterances that have begun.
            finals: that were told.
            language: that was surely spoken last.
        """
        if not self._unsaved:
            return
        self._unsaved = False
        state = replace(
            self._state,
            window=window,
            seq=self._seq,
            segments=segments,
            finals=finals,
            language=language.tag if language else None,
            told=tuple(self._told),
        )
        first = next(i for i, action in enumerate(actions) if isinstance(action, Send))
        actions.insert(first, Save(state))
