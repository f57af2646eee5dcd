"""A process that calls a dependency through a breaker that it shares with others.

``python -m tests.support.breaker_process REDIS_SOCKET``: reads one command a line, answers each by
one line. The dependency works or fails as the command says, and hangs until it is released.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from speech_translator.errors import CircuitOpen
from speech_translator.reliability import BreakerConfig, CircuitBreaker, Sharing
from speech_translator.reliability.breaker_sharing import SCRIPT
from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire

CONFIG = BreakerConfig(consecutive_failures=3, open_s=0.5, probe_ttl_s=6.0)


@dataclass
class Caller:
    breaker: CircuitBreaker
    released: asyncio.Event = field(default_factory=asyncio.Event)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    passed: int = 0
    refused: int = 0
    calls: set[asyncio.Task[None]] = field(default_factory=set)

    async def call(self) -> None:
        try:
            await self.breaker.call(self.work)
        except CircuitOpen:
            self.refused += 1
            self.decided.set()

    async def work(self) -> None:
        self.passed += 1
        self.decided.set()
        await self.released.wait()

    async def obey(self, command: str, count: int) -> str:
        if command == "fail":
            for _ in range(count):
                permit = await self.breaker.acquire()
                await self.breaker.settle(permit, "failure", 0.0)
        elif command == "storm":
            self.passed = self.refused = 0
            self.released.clear()
            self.calls = {asyncio.create_task(self.call()) for _ in range(count)}
            while self.passed + self.refused < count:
                self.decided.clear()
                await self.decided.wait()
        elif command == "release":
            self.released.set()
            await asyncio.gather(*self.calls)
        return f"{self.passed} {self.refused} {self.breaker.snapshot().state}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(socket: str) -> None:
    async with redis_client(RedisConfig(f"unix://{socket}")) as client, RedisWire(client) as wire:
        sharing = Sharing(RedisScript(wire, SCRIPT))
        caller = Caller(CircuitBreaker("payments", CONFIG, sharing=sharing))
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, count = line.split()
            say(await caller.obey(command, int(count)))


@dataclass
class CallingProcess:
    """Such a process, from the test's side."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, socket: Path) -> CallingProcess:
        command = [sys.executable, "-m", "tests.support.breaker_process", str(socket)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return cls(process)

    def tell(self, command: str, count: int = 0) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()

    def hear(self) -> tuple[int, int, str]:
        """How many calls passed, how many were refused, and the state as it sees it."""
        line = self.hear_line()
        passed, refused, state = line.split()
        return int(passed), int(refused), state

    def hear_line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
