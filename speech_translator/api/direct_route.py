"""A route past FastAPI's parameter machinery, for the route that is called most."""

from __future__ import annotations

from starlette.routing import Match, Route
from starlette.types import Scope


class DirectRoute(Route):
    """Starlette's route under FastAPI: a third less work for a handler that takes its request.

    It stands before the FastAPI route of the same handler, which is kept for the OpenAPI document.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's, and leaves itself in the scope, as FastAPI's routes do."""
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["route"] = self
        return match, found
