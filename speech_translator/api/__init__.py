"""The service over HTTP and WebSocket. ``app.create_app`` is the one composition root.

Import from the modules: ``api.app`` for the application, ``api.server`` to serve it. Importing
this package alone loads no web framework.
"""

__all__: list[str] = []
