"""The AsyncAPI document of the live sockets, generated from the types of their messages.

AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0) with JSON Schema for the
messages, so that clients can be generated from it and messages be checked against it. Names of
languages and the rest of the rules are in ``docs/LIVE.md``. One channel is our own, the other
OpenAI's realtime translation.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, get_args

import msgspec
import orjson

from speech_translator import __version__
from speech_translator.api.compat.realtime_events import ClientEvent, RealtimeEvent
from speech_translator.media.pcm import PCM_RATES
from speech_translator.streaming import messages
from speech_translator.streaming.messages import Control, ServerEvent

Json = dict[str, Any]

CHANNEL = "/translate/stream"
REALTIME_CHANNEL = "/v1/realtime/translations"
_REF = "#/components/schemas/{name}"
_SAID = (messages.StartMessage, messages.ResumeRequest, messages.UpdateMessage)
_AUDIO = "audio_in"
_CLIENT_EVENTS = tuple(ClientEvent.__subclasses__())
_REALTIME = tuple(RealtimeEvent.__subclasses__())
_MODEL_QUERY: Json = {
    "type": "object",
    "properties": {"model": {"type": "string", "maxLength": 128}},
}


@lru_cache(maxsize=8)
def document(prefix: str) -> bytes:
    """The document in JSON, for a service that is mounted under ``prefix``."""
    return orjson.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "speech-translator: live sessions",
                "version": __version__,
                "description": "Speech goes in as binary messages while the speaker talks; "
                "captions, translations and spoken translations come out as JSON. Operations are "
                "told as a client does them. A browser offers its token as a subprotocol, "
                "`bearer.<token>`, beside `speech-translator`; for OpenAI's protocol its client "
                "secret, `openai-insecure-api-key.<secret>`, beside `realtime`.",
            },
            "defaultContentType": "application/json",
            "channels": {
                "live": _channel(prefix + CHANNEL, {**client_messages(), **server_messages()}),
                "realtime": {
                    **_channel(prefix + REALTIME_CHANNEL, _messages(_CLIENT_EVENTS + _REALTIME)),
                    "description": "OpenAI's realtime translation. `model` is told back.",
                    "bindings": {"ws": {"method": "GET", "query": _MODEL_QUERY}},
                },
            },
            "operations": {
                "send": _operation("send", "live", client_messages()),
                "receive": _operation("receive", "live", server_messages()),
                "sendRealtime": _operation("send", "realtime", _messages(_CLIENT_EVENTS)),
                "receiveRealtime": _operation("receive", "realtime", _messages(_REALTIME)),
            },
            "components": {
                "schemas": _schemas(),
                "securitySchemes": {
                    "ApiKey": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
                    "Bearer": {"type": "http", "scheme": "bearer"},
                },
            },
        }
    )


def client_messages() -> Json:
    """What clients send, by name: an opening, then audio, updates and controls."""
    found = _messages(_SAID)
    for kind in get_args(Control):
        shape = {"type": "object", "required": ["type"], "properties": {"type": {"const": kind}}}
        found[kind] = {"name": kind, "payload": shape}
    found[_AUDIO] = {
        "name": _AUDIO,
        "summary": "A binary message: sound in the format that was asked for.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "maxLength": messages.MAX_FRAME_BYTES},
    }
    return found


def server_messages() -> Json:
    """What the server sends, by ``type``."""
    return _messages(_events())


def _messages(structs: Iterable[type[msgspec.Struct]]) -> Json:
    return {_kind(struct): _message(struct) for struct in structs}


def _events() -> list[type[ServerEvent]]:
    return ServerEvent.__subclasses__()


def _kind(struct: type[msgspec.Struct]) -> str:
    tag = struct.__struct_config__.tag
    return str(tag or msgspec.structs.fields(struct)[_names(struct).index("type")].default)


def _names(struct: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(struct)]


def _message(struct: type[msgspec.Struct]) -> Json:
    summary = inspect.cleandoc(struct.__doc__ or "").partition("\n\n")[0]
    return {
        "name": _kind(struct),
        "summary": summary.replace("``", "`"),
        "payload": {"$ref": _REF.format(name=struct.__name__)},
    }


def _channel(address: str, found: Json) -> Json:
    return {"address": address, "messages": found, "bindings": {"ws": {"method": "GET"}}}


def _operation(action: str, channel: str, found: Json) -> Json:
    """An operation from the client's side."""
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in found],
        "security": [{"$ref": f"#/components/securitySchemes/{n}"} for n in ("ApiKey", "Bearer")],
    }


def _schemas() -> Json:
    """The schemas of all messages; those of the server's have their number, ``seq``."""
    events = _events()
    told = [*_SAID, *events, *_CLIENT_EVENTS, *_REALTIME]
    _, found = msgspec.json.schema_components(told, ref_template=_REF)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"]).replace("``", "`")
    for event in events:
        schema = found[event.__name__]
        schema["properties"]["seq"] = {"type": "integer", "minimum": 1}
        schema["required"].append("seq")
    sound = found[messages.AudioFormat.__name__]["properties"]
    sound["encoding"]["enum"] = list(messages.ENCODINGS)
    sound["sample_rate"] = {"enum": [None, *PCM_RATES], "default": None}
    for struct in (messages.StartMessage, messages.UpdateMessage):
        targets = found[struct.__name__]["properties"]["target_languages"]
        targets |= {"maxItems": messages.MAX_TARGETS, "uniqueItems": True}
    return found
