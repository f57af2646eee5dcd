"""Self-hosted, real-time speech translation: speech in, captions, text and speech out."""

__version__ = "0.1.0"
