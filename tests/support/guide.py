"""Does what a page of the documentation says, in order, as its reader would.

Of a page's blocks, ``python`` and ``toml`` are files, named in their first line; ``diff`` changes
``app.py``; ``console`` are commands after ``$`` that go on after ``>``, each with the output that
it must have, in which ``...`` stands for anything. A command that begins with ``uvicorn`` starts
the application, in the place of the one before.
"""

from __future__ import annotations

import contextlib
import doctest
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from tests.support.ports import free_port

START_S = 60.0
COMMAND_S = 180.0
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block of code and where it stands."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Section:
    """A heading and the blocks under it."""

    title: str
    blocks: tuple[Block, ...]


def sections(page: str) -> list[Section]:
    """The sections of a page that have blocks, in order."""
    found: list[Section] = []
    starts = [*re.finditer(r"^## (.*)$", page, re.MULTILINE)]
    for start, end in zip(starts, [*(one.start() for one in starts[1:]), len(page)], strict=True):
        blocks = tuple(
            Block(block[1], block[2], page.count("\n", 0, block.start()) + 1)
            for block in _BLOCK.finditer(page, start.end(), end)
        )
        if blocks:
            found.append(Section(start[1], blocks))
    return found


def changed(text: str, diff: str) -> str:
    """``text`` after a diff, whose hunks begin with ``@@`` and each fit in one place."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = [line or " " for line in hunk.splitlines()]
        assert all(line[0] in " +-" for line in lines), lines
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
        if lines:
            assert text.count(before) == 1, f"this must stand there once:\n{before}\n\n{text}"
            text = text.replace(before, after)
    return text


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Commands of a console block, each with the output that it must have."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        first, *rest = part.splitlines(keepends=True)
        continued = [*takewhile(lambda line: line.startswith("> "), rest)]
        command = first + "".join(line.removeprefix("> ") for line in continued)
        yield command, "".join(rest[len(continued) :])


@dataclass
class Walk:
    """A reader at work.

    ``folder`` is where they are, ``environment`` that of their shell; ``replaced`` says what
    stands here for what the page says, such as the address of a server.
    """

    folder: Path
    environment: dict[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _server: subprocess.Popen[bytes] | None = None

    def follow(self, section: Section) -> None:
        """Do what a section says."""
        for block in section.blocks:
            try:
                self._take(block)
            except AssertionError as error:
                raise AssertionError(f"line {block.line}, {section.title!r}: {error}") from None

    def stop(self) -> None:
        """End the application."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)
            self._server = None

    def log(self) -> str:
        """What the application wrote."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / ".log").read_text(errors="replace")
        return ""

    def run(self, command: str) -> str:
        """The output of a command; what it exports stays for the next."""
        state = self.folder / ".exports"
        script = f"[ -e {state} ] && . {state}\n{self._here(command)}\ndeclare -px > {state}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_S,
        )
        return done.stdout

    def _take(self, block: Block) -> None:
        if block.language == "diff":
            app = self.folder / "app.py"
            app.write_text(changed(app.read_text(), block.text))
        elif block.language in {"python", "toml"}:
            name, _, content = block.text.removeprefix("# ").partition("\n")
            (self.folder / name).write_text(self._here(content.lstrip("\n")))
        elif block.language == "console":
            for command, wanted in commands(block.text):
                self._check(command, wanted)
        else:
            raise AssertionError(f"nothing is known of blocks of {block.language}")

    def _check(self, command: str, wanted: str) -> None:
        if command.startswith("uvicorn "):
            self._serve(command)
            return
        got = self.run(command)
        assert doctest.OutputChecker().check_output(wanted, got, _FLAGS), (
            f"\n$ {command}wanted:\n{wanted}\ngot:\n{got}\nthe application said:\n{self.log()}"
        )

    def _serve(self, command: str) -> None:
        self.stop()
        # By the reader's own Python: the program may be found in another's environment only.
        script = f". .exports; exec python -m {self._here(command).strip()} --port {self.port}"
        (self.folder / ".exports").touch()
        with (self.folder / ".log").open("wb") as log:
            self._server = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + START_S
        while not self._listens():
            assert self._server.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def _here(self, command: str) -> str:
        for there, here in {**self.replaced, "localhost:8000": f"localhost:{self.port}"}.items():
            command = command.replace(there, here)
        return command
