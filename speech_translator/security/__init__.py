"""Who may ask, and how much of it: usable on its own in any ASGI application."""
