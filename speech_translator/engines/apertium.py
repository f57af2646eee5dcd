"""Apertium: rule-based translation between some fifty close pairs, through APy over HTTP.

Fast and small, and it knows no context: words that it does not have stay as they are, and every
answer counts as rule-based. The pairs are Debian's packages; APy is a sidecar of this engine, or
a server that runs elsewhere (``APERTIUM_URL``). What is installed is discovered at run time.
"""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from speech_translator.engines.apertium_client import Client, ServerFailed
from speech_translator.engines.apertium_codes import Pair, chosen
from speech_translator.engines.apertium_modes import MODES, available
from speech_translator.engines.apertium_sidecar import Sidecar, SidecarConfig
from speech_translator.engines.apertium_text import parts, prepare
from speech_translator.engines.values import EngineInfo, TranslateCall
from speech_translator.errors import EngineFailed, EngineUnavailable, ModelMissing, UnsupportedPair
from speech_translator.text import has_letters
from speech_translator.text.sentences import split

NAME = "apertium"
MAX_CHARS = 1_000
"""Longest text of one request. APy cuts longer ones anywhere, and drops what is beyond ten cuts."""

MAX_CONCURRENCY = 4
"""Calls at once: APy is one event loop, and each pair one pipeline."""


class Server(Protocol):
    """Whatever gives a client of a running APy."""

    def client(self) -> Client:
        """A client that worked when it was last used. Raises ``EngineUnavailable``."""
        ...

    def discard(self, client: Client) -> None:
        """Told when ``client`` could not be reached or did not answer in time."""
        ...

    def close(self) -> None:
        """Leave nothing running that was started for us."""
        ...


class RemoteServer:
    """APy that somebody else runs."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = Client(url, timeout_s)

    def client(self) -> Client:
        """Always the same one."""
        return self._client

    def discard(self, client: Client) -> None:
        """Nothing to do: whoever runs it starts it again."""

    def close(self) -> None:
        """Nothing of it is ours."""


class Apertium:
    """Translator over the pairs that an APy has. Safe to call from several threads.

    Args:
        server: where APy is.
        offered: its pairs, in Apertium's codes.
        threads: calls at once.
    """

    def __init__(self, server: Server, offered: Iterable[Pair], threads: int) -> None:
        self._server = server
        offered = sorted(offered)
        self._codes = chosen(offered)
        self._threads = max(1, min(threads, MAX_CONCURRENCY))
        digest = hashlib.sha256(repr(offered).encode()).hexdigest()
        self._model = f"{NAME}-{digest[:8]}"

    def describe(self) -> EngineInfo:
        """The pairs that were there when it was loaded; what it answers is rule-based."""
        return EngineInfo(
            name=NAME,
            task="translation",
            concurrency=self._threads,
            models=(self._model,),
            pairs=tuple(self._codes),
            languages=tuple(sorted({language for pair in self._codes for language in pair})),
            rule_based=True,
        )

    def close(self) -> None:
        """End the sidecar, for whoever outlives the engine. A process that ends needs no call."""
        self._server.close()

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        """One translation for each call, in order.

        Raises:
            UnsupportedPair: no installed pair joins the two languages.
            EngineFailed, EngineUnavailable: APy does not answer, also when started again.
        """
        return [self._translate(call.text, call.source, call.target) for call in calls]

    def _translate(self, text: str, source: str, target: str) -> str:
        codes = self._codes.get((source, target))
        if codes is None:
            raise UnsupportedPair(f"Apertium has no pair from {source} into {target} here.")
        if len(text) <= MAX_CHARS:
            return self._sentence(text, codes)
        pieces: list[str] = []
        at = 0
        for start, end in split(text, source):
            pieces += (text[at:start], *parts(text[start:end], MAX_CHARS))
            at = end
        pieces.append(text[at:])
        return "".join(self._sentence(piece, codes) for piece in pieces)

    def _sentence(self, text: str, codes: Pair) -> str:
        if not has_letters(text):
            return text
        prepared = prepare(text)
        return prepared.finish(self._ask(prepared.sent, codes))

    def _ask(self, text: str, codes: Pair) -> str:
        """One request. A sidecar that died is started again, once; one that hangs is ended."""
        for last in (False, True):
            client = self._server.client()
            try:
                return client.translate(text, codes)
            except ServerFailed as error:  # APy saw a pipeline end or hang, and gave that one up
                raise EngineFailed("Apertium's pipeline for this pair failed.") from error
            except TimeoutError as error:
                self._server.discard(client)
                raise EngineFailed("Apertium did not answer in its time.") from error
            except (OSError, http.client.HTTPException) as error:
                self._server.discard(client)
                if last:
                    raise EngineUnavailable("Apertium's server cannot be reached.") from error
        raise AssertionError


def load(options: Mapping[str, object]) -> Apertium:
    """Start APy, or reach the one at ``url``, and ask for its pairs.

    Args:
        options: ``url`` of a running APy, empty for a sidecar; ``threads``; ``memory_mb`` for the
            sidecar's pipelines; ``call_timeout_s``, half of which one request may take; ``modes``,
            the directory of the pairs.

    Raises:
        ModelMissing: APy or every pair is missing.
        EngineUnavailable: the server does not answer.
    """
    timeout_s = float(str(options.get("call_timeout_s", 30.0))) / 2
    threads = int(str(options.get("threads", 1)))
    url = str(options.get("url", ""))
    modes = Path(str(options.get("modes", MODES)))
    server: Server
    if url:
        server = RemoteServer(url, timeout_s)
    elif available(modes):
        memory_mb = int(str(options.get("memory_mb", 1024)))
        server = Sidecar(SidecarConfig(modes=modes, translate_s=timeout_s, memory_mb=memory_mb))
    else:
        raise ModelMissing("Apertium is not installed. Run: make apertium")
    try:
        offered = server.client().pairs()
    except (OSError, http.client.HTTPException, ServerFailed) as error:
        server.close()
        raise EngineUnavailable("Apertium's server does not answer.") from error
    engine = Apertium(server, offered, threads)
    if not engine.describe().pairs:
        server.close()
        raise ModelMissing("Apertium has no pair that can run. Run: make apertium")
    return engine
