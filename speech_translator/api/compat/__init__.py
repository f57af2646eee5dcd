"""Routes in the shapes of other projects, so that their clients work here."""

__all__: list[str] = []
