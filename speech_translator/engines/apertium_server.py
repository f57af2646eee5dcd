"""APy as a sidecar: run as a program by ``apertium_sidecar.py``, never imported.

APy's own command listens on all interfaces, offers routes that read any web page for a caller,
lists pairs whose data Debian left out, and keeps every pipeline that was ever used: all pairs
together take 17 GB. Here it gets a socket on loopback that its parent opened, two routes, the
pairs that can run, and a budget for the memory of its pipelines.

Standard input is its lifeline: it ends when the parent does, however the parent ends, and the
whole process group is killed then. APy is GPL-3; it runs in this process alone.
"""

from __future__ import annotations

import heapq
import json
import logging
import os
import re
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.ioloop
import tornado.web
from apertium_apy import apy
from apertium_apy.handlers import ListHandler, TranslateHandler
from apertium_apy.utils.translation import make_pipeline, parse_mode_file

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024


def _children() -> set[int]:
    """Processes that this one started; none where the kernel does not list them."""
    found: set[int] = set()
    for tasks in Path("/proc/self/task").glob("*/children"):
        found.update(int(pid) for pid in tasks.read_text(encoding="ascii").split())
    return found


def _memory(pid: int) -> int:
    """Bytes that a process has for itself; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES


class BoundedTranslateHandler(TranslateHandler):  # type: ignore[misc]
    """APy's handler, but the least recently used pipelines end when all take too much memory."""

    budget_bytes = 0
    _processes: dict[Any, set[int]] = {}  # noqa: RUF012 - APy keeps its state on its classes, too
    _sizes: dict[Any, int] = {}  # noqa: RUF012

    def get_pipeline(self, pair: tuple[str, str]) -> Any:
        """The pipeline of a pair, started where it is not running."""
        if self.should_start_pipe(*pair):
            before = _children()
            pipeline = make_pipeline(self.get_pipe_cmds(*pair), self.timeout)
            self._processes[pipeline] = _children() - before
            heapq.heappush(self.pipelines.setdefault(pair, []), pipeline)
        return self.pipelines[pair][0]

    def clean_pairs(self) -> None:
        """Called after each translation. A pipeline's size is taken once, after its first use."""
        for pipe in (pipe for pipes in self.pipelines.values() for pipe in pipes if pipe.stuck):
            for pid in self._processes.get(pipe, set()) & _children():
                os.kill(pid, signal.SIGKILL)  # it would go on for ever
        super().clean_pairs()
        running = {pipe: pair for pair, pipes in self.pipelines.items() for pipe in pipes}
        for pipe in [pipe for pipe in self._processes if pipe not in running]:
            del self._processes[pipe]
            self._sizes.pop(pipe, None)
        for pipe in running:
            if pipe not in self._sizes and pipe.use_count:
                self._sizes[pipe] = sum(map(_memory, self._processes.get(pipe, ())))
        oldest = sorted(running, key=lambda pipe: pipe.last_usage)
        for pipe in oldest[:-1]:
            if sum(self._sizes.values()) <= self.budget_bytes:
                break
            if pipe.users == 0:
                self.pipelines[running[pipe]].remove(pipe)
                self._sizes.pop(pipe, None)
                self._processes.pop(pipe, None)


def _can_run(mode: str) -> bool:
    """Whether every program and every data file of a mode is there."""
    commands = parse_mode_file(mode).commands
    files = re.findall(r"'(/[^']+)'", Path(mode).read_text(encoding="utf-8"))
    return all(shutil.which(command[0]) for command in commands) and all(
        Path(file).exists() for file in files
    )


def _end_with_parent() -> None:
    """Wait for the lifeline's end, then end the process group, pipelines that spin included."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Serve until standard input ends. The one argument is JSON; see ``apertium_sidecar.py``."""
    options = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.ERROR)  # tracebacks; APy's lines name addresses
    arguments = apy.parse_args(
        [
            *("--timeout", str(options["timeout_s"])),
            *("--max-idle-secs", str(options["idle_s"])),
            options["modes"],
        ]
    )
    apy.setup_handler(
        arguments.pairs_path,
        arguments.nonpairs_path,
        arguments.lang_names,
        arguments.missing_freqs,
        arguments.timeout,
        arguments.max_pipes_per_pair,
        arguments.min_pipes_per_pair,
        arguments.max_users_per_pipe,
        arguments.max_idle_secs,
        arguments.restart_pipe_after,
        arguments.max_doc_pipes,
    )
    pairs = ListHandler.pairs
    for pair in [pair for pair, mode in pairs.items() if not _can_run(mode)]:
        del pairs[pair]
    BoundedTranslateHandler.budget_bytes = options["memory_mb"] * _MIB
    application = tornado.web.Application(
        [(r"/listPairs", ListHandler), (r"/translate", BoundedTranslateHandler)]
    )
    listening = socket.socket(fileno=options["descriptor"])
    listening.settimeout(0)
    tornado.httpserver.HTTPServer(application).add_socket(listening)
    tornado.ioloop.IOLoop.current().start()


if __name__ == "__main__":
    main()
