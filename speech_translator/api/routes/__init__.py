"""One module a group of routes: parse, call one service method, shape the answer."""

__all__: list[str] = []
