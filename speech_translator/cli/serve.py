"""``speech-translator serve``: the API and the page."""

from __future__ import annotations

from typing import Annotated

import typer

from speech_translator.cli.surroundings import surroundings_of


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TCP port to listen on (PORT).")
    ] = None,
) -> None:
    """Serve the REST and WebSocket API and the page, until interrupted.

    Every other setting is an environment variable; docs/REFERENCE.md lists them.
    """
    surroundings = surroundings_of(context)
    surroundings.serve(surroundings.settings(host=host, port=port))
