"""Pure ASGI middleware: the envelope of every request, and the guard of the boundary."""

from speech_translator.api.middleware.boundary import Boundary, BoundaryConfig
from speech_translator.api.middleware.envelope import Envelope

__all__ = ["Boundary", "BoundaryConfig", "Envelope"]
