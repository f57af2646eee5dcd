"""The OpenAPI document: the framework's skeleton, with bodies generated from ``schemas``.

Routes parse their bodies themselves, so each states here what it takes and answers.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from speech_translator import __version__
from speech_translator.api import account_schemas, schemas
from speech_translator.api.compat import (
    libretranslate_schemas,
    openai_errors,
    realtime_schemas,
)
from speech_translator.problems import PROBLEM_TYPE
from speech_translator.security.idempotency import KEY_PATTERN
from speech_translator.security.scopes import Scope

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_MEANING: Mapping[int, str] = {
    400: "The body cannot be read",
    401: "A key that is not valid, or none where one is needed",
    403: "Sent on behalf of another site, or not allowed with this key",
    404: "There is no such thing, or it is not yours",
    408: "The body came too slowly",
    409: "The same request is at work, or its answer was not kept; see `Idempotency-Key`",
    413: "Larger or longer than the limit",
    415: "A type of body or audio that is not taken",
    422: "Something in the request must change; `code` says what",
    429: "A limit is used up; see `Retry-After`",
    502: "An engine failed on this input",
    503: "Overloaded, loading or stopping; see `Retry-After`",
    504: "The deadline passed",
}
_SCHEMES: Json = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key, or a token.",
    },
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same under `Authorization`; on a WebSocket also as a subprotocol, "
        "`bearer.<token>` or `openai-insecure-api-key.<token>`.",
    },
}
_BODIES = (
    schemas,
    account_schemas,
    libretranslate_schemas,
    openai_errors,
    realtime_schemas,
)
"""Modules of structs that are bodies."""

_OPERATORS = "/admin/"
"""What stands under it is for administrators."""

TIMEOUT_PARAMETER: Json = {
    "name": "X-Request-Timeout",
    "in": "header",
    "required": False,
    "description": (
        "Seconds that the answer is worth waiting for; shortens the deadline that the service and "
        "the tier set. Work that has not begun by then is not begun, and the answer is a 504."
    ),
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
IDEMPOTENCY_PARAMETER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "A name of the client's for this request, unlike any other's. Sent again with the same "
        "body within a day, the request is not done nor billed again: the answer is told again, "
        "with `Idempotency-Replayed`, and an `X-Request-ID` of its own. While it is done, and for "
        "some seconds after its server was killed, that is a 409, `idempotency_in_progress`; under "
        "another request's key a 422, `idempotency_key_reused`. Only answers with success are "
        "kept: what failed, or was left by its client, is done when it is sent again. One larger "
        "than IDEMPOTENCY_MAX_BYTES is not: then it is a 409, `answer_not_kept`. Where the "
        "database does not answer, a request with a key is refused with 503."
    ),
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_REPLAYED: Json = {
    "Idempotency-Replayed": {
        "description": "`true` where this answers an earlier request with the same key.",
        "schema": {"const": "true"},
    }
}
_STATUS_HEADERS: Mapping[int, Json] = {
    401: {
        "WWW-Authenticate": {
            "description": "How to come with a credential (RFC 9110).",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    409: {
        "Retry-After": {
            "description": "Seconds until it is worth asking again; missing where no wait helps.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
    429: {
        "Retry-After": {
            "description": "Seconds until it is worth asking again; missing where no wait helps.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
    503: {
        "Retry-After": {
            "description": "Seconds until it is worth asking again.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}
"""What an answer of that status says beside its body."""

_LIMITS: Json = {
    "RateLimit-Policy": {
        "description": "The limits that this request counts against (IETF draft).",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of each, and the seconds until it is whole again.",
        "schema": {"type": "string"},
    },
    **{
        f"X-RateLimit-{name}": {
            "description": f"The {meaning} of the limit of which the smallest part is left.",
            "schema": {"type": "integer", "minimum": 0},
        }
        for name, meaning in (
            ("Limit", "size"),
            ("Remaining", "rest"),
            ("Reset", "seconds until the reset"),
        )
    },
}
"""What a limited answer says of its limits; a tier without limits has none of them."""

_REQUEST_ID: Json = {
    "X-Request-ID": {
        "description": "The id of this request, made by the server.",
        "schema": {"type": "string"},
    }
}


def ref(struct: type[msgspec.Struct]) -> Json:
    """A reference to a struct's schema."""
    return {"$ref": _REF.format(name=struct.__name__)}


def answer(
    description: str, content: Mapping[str, Json], headers: Mapping[str, Json] | None = None
) -> Json:
    """One response by media type and schema, with what stands in its ``headers`` beside its id."""
    return {
        "description": description,
        "headers": {**_REQUEST_ID, **(headers or {})},
        "content": {kind: {"schema": schema} for kind, schema in content.items()},
    }


def errors(*statuses: int) -> Json:
    """Responses of a route that may fail with ``statuses``, or in a way that nobody foresaw.

    One that asks for a key (401) counts requests, too, and may say that there were too many (429).
    """
    limited = {429} if 401 in statuses else set()  # noqa: PLR2004 - the statuses themselves
    found = {
        str(status): answer(
            _MEANING[status], {PROBLEM_TYPE: ref(schemas.Problem)}, _STATUS_HEADERS.get(status)
        )
        for status in sorted(limited.union(statuses))
    }
    found["default"] = answer("An error", {PROBLEM_TYPE: ref(schemas.Problem)})
    return found


def query_parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def gives(
    content: Mapping[str, Json],
    *,
    description: str = "The answer",
    failures: Sequence[int] = (),
    status: int = 200,
    scope: Scope | None = None,
) -> Json:
    """``openapi_extra`` of a route without a body; ``scope`` as ``asks_for``."""
    return {
        "responses": {str(status): answer(description, content), **errors(*failures)},
        **({} if scope is None else asks_for(scope)),
    }


def asks_for(*scopes: Scope) -> Json:
    """The credentials that open an operation, either of them, with the scopes that they need."""
    return {"security": [{name: [str(scope) for scope in scopes]} for name in _SCHEMES]}


def json_operation(
    body: type[msgspec.Struct],
    found: type[msgspec.Struct],
    *,
    failures: Sequence[int],
    status: int = 200,
    optional: bool = False,
    parameters: Sequence[Json] = (),
    scope: Scope | None = None,
) -> Json:
    """``openapi_extra`` of a route from JSON to JSON, with a body that may be left out."""
    return {
        "parameters": [*parameters],
        "requestBody": {
            "required": not optional,
            "content": {"application/json": {"schema": ref(body)}},
        },
        **gives({"application/json": ref(found)}, failures=failures, status=status, scope=scope),
    }


def form_operation(
    fields: Mapping[str, Json],
    *,
    required: Sequence[str],
    content: Mapping[str, Json],
    failures: Sequence[int],
    scope: Scope | None = None,
) -> Json:
    """``openapi_extra`` of a route that takes an upload."""
    form: Json = {
        "type": "object",
        "required": list(required),
        "properties": dict(fields),
        "additionalProperties": False,
    }
    return {
        "parameters": [TIMEOUT_PARAMETER, IDEMPOTENCY_PARAMETER],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        **gives(content, failures=failures, scope=scope),
    }


def components() -> Json:
    """Schemas of every struct that is a body."""
    structs = [
        value
        for module in _BODIES
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == module.__name__
    ]
    _, found = msgspec.json.schema_components(structs, ref_template=_REF)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    problem = found[schemas.Problem.__name__]
    problem["additionalProperties"] = True
    return found


def _ask_for_keys(paths: Json) -> None:
    """Every operation that may answer 401 needs a key or a token, and counts its requests."""
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMITS}
    for path, operations in paths.items():
        scopes = (Scope.ADMIN,) if path.startswith(_OPERATORS) else ()
        for operation in operations.values():
            responses = operation["responses"]
            if "401" not in responses:
                continue
            operation.setdefault("security", asks_for(*scopes)["security"])
            again = _REPLAYED if IDEMPOTENCY_PARAMETER in operation.get("parameters", ()) else {}
            for status, found in responses.items():
                if status.startswith("2"):
                    found["headers"] = {**found.get("headers", {}), **limits, **again}


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` give the whole document."""

    def document() -> Json:
        if app.openapi_schema is None:
            built = get_openapi(
                title=app.title,
                version=__version__,
                description=app.description,
                license_info=app.license_info,
                routes=app.routes,
            )
            parts = built.setdefault("components", {})
            parts.setdefault("schemas", {}).update(components())
            parts["securitySchemes"], parts["headers"] = _SCHEMES, _LIMITS
            _ask_for_keys(built["paths"])
            app.openapi_schema = built
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way
