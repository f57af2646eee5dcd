"""A real PostgreSQL for tests, from Debian's package: its own folder, a socket and no port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_USER = "postgres"


@dataclass
class PostgresServer:
    """A running server."""

    folder: Path
    programs: Path

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{_USER}@/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        """A new, empty database; its address."""
        _run(self.programs / "createdb", "-h", self.folder, database)
        return self.url(database)

    def start(self) -> None:
        """Start it; it answers when this returns."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=100"
        log = self.folder / "log"
        data = self.folder / "data"
        _run(self.programs / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """End it at once, as a crash would."""
        _run(self.programs / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that lasts as long as the block."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "postgresql is missing: `make test` installs it"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = PostgresServer(folder, found[-1])
    if os.geteuid() == 0:
        shutil.chown(folder, _USER)
    try:
        _run(found[-1] / "initdb", "-D", folder / "data", "-U", _USER, "-A", "trust", "--no-sync")
        server.start()
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder)


def _run(program: Path, *arguments: str | Path) -> None:
    """Run one of its programs; they refuse to run as root."""
    root = os.geteuid() == 0
    subprocess.run(
        [program, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=pwd.getpwnam(_USER).pw_uid if root else None,
        group=pwd.getpwnam(_USER).pw_gid if root else None,
        env={**os.environ, "PGUSER": _USER},
        cwd="/",
    )
