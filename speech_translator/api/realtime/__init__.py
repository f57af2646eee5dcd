"""Live sockets: the thin layer between ASGI and ``streaming``."""

__all__: list[str] = []
