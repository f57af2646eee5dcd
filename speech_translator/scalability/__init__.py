"""The async door to the models, the broker behind it, and the cache in front of both.

``engine_process`` is what every engine process runs, so this package imports nothing by itself.
"""
