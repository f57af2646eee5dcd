"""What schemathesis must know of this service beyond its OpenAPI document.

Loaded by schemathesis in a process of its own; see ``schema_run``.
"""

from __future__ import annotations

import os

import schemathesis

KEPT = frozenset(os.environ["KEPT_IDS"].split())
"""Ids that the run itself lives on: its keys, and who holds them."""

HELD = frozenset(os.environ["HELD_SCOPES"].split())
"""What the credential of this round opens."""

SHORT_S = 1.0


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let nobody revoke the run's own keys, or erase who holds them: every door would close."""
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        if str(value) in KEPT:
            parameters[name] = "another"


@schemathesis.check
def no_server_error(context, response, case):
    """No 5xx but two that are answers: come back later, and the deadline that the client set."""
    status = response.status_code
    if status < 500:
        return
    documented = case.operation.definition.raw["responses"]
    if status == 503 and "503" in documented and "retry-after" in response.headers:
        return
    if status == 504 and "504" in documented and _short(case.headers or {}):
        return
    raise AssertionError(f"a server error, {status}")


@schemathesis.check
def needed_scope(context, response, case):
    """Nothing is done for a credential without the scope that the document asks for."""
    choices = case.operation.definition.raw.get("security", [])
    needed = {scope for choice in choices for scopes in choice.values() for scope in scopes}
    if response.status_code < 300 and not needed <= HELD and "admin" not in HELD:
        raise AssertionError(f"done without the scope {', '.join(needed)}")


def _short(headers):
    try:
        return float(headers.get("X-Request-Timeout", "inf")) <= SHORT_S
    except ValueError:
        return False
