"""Live sessions: speech becomes captions, translation and speech while the speaker talks.

``session`` is the state machine, pure and on an injected clock; ``driver`` and ``running`` have its
work done over the async door; ``messages`` is the protocol. No web framework in here.
"""

from speech_translator.streaming.config import AudioMeter, SessionLimits
from speech_translator.streaming.driver import LiveDriver
from speech_translator.streaming.hub import LiveHub
from speech_translator.streaming.running import Transport

__all__ = ["AudioMeter", "LiveDriver", "LiveHub", "SessionLimits", "Transport"]
