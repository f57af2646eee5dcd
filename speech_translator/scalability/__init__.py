"""The async door to the models, the broker behind it, and the cache in front of both."""
