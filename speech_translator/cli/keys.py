"""``speech-translator keys``: the way to a first key in production, and to an administrator's."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speech_translator.cli.options import JsonOption
from speech_translator.cli.surroundings import run, surroundings_of
from speech_translator.cli.terminal import printable, tell, write, write_table

if TYPE_CHECKING:
    from speech_translator.security.accounts import Accounts
    from speech_translator.security.audit_trail import Actor
    from speech_translator.security.key_limits import KeyLimits
    from speech_translator.settings import Settings
    from speech_translator.storage import KeyRecord

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[Accounts]:
    from speech_translator.api.accounts import AccountsDoor  # noqa: PLC0415  start quickly
    from speech_translator.api.shared import shared_of  # noqa: PLC0415

    async with shared_of(settings) as shared:
        door = AccountsDoor(settings, shared.revocations)
        try:
            yield await door.get()
        finally:
            await door.close()


def _actor() -> Actor:
    from speech_translator.security.audit_trail import Actor  # noqa: PLC0415  start quickly

    return Actor(f"cli:{getpass.getuser()}", "", "")


@app.command("create")
def create_key(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Whose key it is.")],
    tier: Annotated[str, typer.Option(help="free, basic, pro, enterprise or admin.")] = "free",
    name: Annotated[str, typer.Option(help="For its owner.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it opens, again for each; by default all but operating."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="Of its own, again for each: requests_per_minute, requests_per_day, "
            "characters_per_month, audio_minutes_per_month.",
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it ends; never by default.")
    ] = None,
) -> None:
    """Make a key. It is written to standard output, once."""
    from speech_translator.errors import InvalidField  # noqa: PLC0415  start quickly
    from speech_translator.security.scopes import parse_scopes  # noqa: PLC0415
    from speech_translator.security.tiers import TierName  # noqa: PLC0415

    settings = surroundings_of(context).settings()
    if tier not in set(TierName):
        raise InvalidField(f"Tiers are {', '.join(TierName)}.", field="tier")

    limits = _limits(limit or [])

    async def work() -> str:
        async with _accounts(settings) as accounts:
            text, record = await accounts.create_key(
                user,
                TierName(tier),
                _actor(),
                name=name,
                scopes=parse_scopes(scope) if scope else None,
                expires_in_days=days,
                limits=limits,
            )
            tell(f"Key {record.id} for {printable(user)}. It is not shown again.")
            return text

    write(run(work()) + "\n")


@app.command("list")
def list_keys(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only this owner's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, the newest first; never the keys themselves."""
    settings = surroundings_of(context).settings()

    async def work() -> list[tuple[KeyRecord, dict[str, Any]]]:
        found: list[KeyRecord] = []
        async with _accounts(settings) as accounts:
            while page := await accounts.keys(owner=user, after=found[-1] if found else None):
                found += page
            return [(record, accounts.shown(record)) for record in found]

    found = run(work())
    if as_json:
        import msgspec  # noqa: PLC0415  start quickly

        write(msgspec.json.encode([shown for _, shown in found]) + b"\n")
        return
    write_table([("KEY", "USER", "TIER", "SCOPES", "STATE", "AGE", "NAME"), *map(_row, found)])


@app.command("rotate")
def rotate_key(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="Its id; see keys list.")],
    overlap: Annotated[
        float, typer.Option(min=0, max=720, help="Hours for which the old key goes on.")
    ] = 24,
) -> None:
    """Make a key in the place of another. It is written to standard output, once."""
    from speech_translator.security.scopes import Principal, Scope  # noqa: PLC0415  start quickly
    from speech_translator.security.tiers import TierName  # noqa: PLC0415

    settings = surroundings_of(context).settings()
    actor = _actor()
    operator = Principal(actor.name, "", TierName.ADMIN, frozenset(Scope))

    async def work() -> str:
        async with _accounts(settings) as accounts:
            old = await accounts.key_of(operator, key)
            text, new = await accounts.rotate_key(operator, old, actor, overlap_s=overlap * 3600)
            tell(f"Key {new.id} in the place of {old.id}. It is not shown again.")
            return text

    write(run(work()) + "\n")


@app.command("revoke")
def revoke_key(
    context: typer.Context, key: Annotated[str, typer.Argument(help="Its id; see keys list.")]
) -> None:
    """Close a key for good."""
    settings = surroundings_of(context).settings()

    async def work() -> None:
        async with _accounts(settings) as accounts:
            await accounts.revoke_key(key, _actor())

    run(work())
    tell("Revoked. A service that runs refuses it within 5 seconds.")


def _limits(texts: Sequence[str]) -> KeyLimits | None:
    """The values of ``--limit``. Raises ``InvalidField``."""
    from speech_translator.errors import InvalidField  # noqa: PLC0415  start quickly
    from speech_translator.security.key_limits import parse_limits  # noqa: PLC0415

    values = {}
    for text in texts:
        name, _, number = text.partition("=")
        if not (number.isascii() and number.isdigit()):
            raise InvalidField("A limit is NAME=NUMBER: requests_per_day=100.", field="limit")
        values[name] = int(number)
    return parse_limits(values)


def _row(found: tuple[KeyRecord, dict[str, Any]]) -> tuple[str, ...]:
    record, shown = found
    scopes = ",".join(sorted(record.scopes))
    name, owner = printable(record.name), printable(record.owner)
    age = f"{shown['age_days']} d{', rotate it' if shown['stale'] else ''}"
    return (record.id, owner, record.tier, scopes, _state(record), age, name)


def _state(record: KeyRecord) -> str:
    if record.revoked_at is not None:
        return "revoked"
    if record.expires_at is None:
        return "valid"
    end = datetime.fromtimestamp(record.expires_at / 1000, UTC)
    return f"{'until' if end > datetime.now(UTC) else 'ended'} {end:%Y-%m-%d}"
