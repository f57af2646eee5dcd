"""What computes: contracts, one file an engine, the catalog, the registry and routing."""

from speech_translator.engines.registry import engine_specs
from speech_translator.engines.routing import RoutePlanner
from speech_translator.engines.values import EngineInfo, Priority, Voice

__all__ = ["EngineInfo", "Priority", "RoutePlanner", "Voice", "engine_specs"]
