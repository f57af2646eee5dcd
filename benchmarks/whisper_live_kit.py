"""WhisperLiveKit as a process on loopback, in an environment of its own in the cache directory.

Its transcription alone is run: the backend faster-whisper with LocalAgreement, over the weights
that our own recogniser works with, and with the same releases of faster-whisper, CTranslate2 and
onnxruntime. Of what its package asks for it runs without torchaudio. The index has PyTorch for
graphics cards only, so that the environment takes 5 GB; it is kept for the next time.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.live_audio import Talk
from benchmarks.live_captions import Caption, Followed
from benchmarks.live_session import send_paced
from benchmarks.service import get_json, spare_port
from speech_translator.engines import whisper
from speech_translator.settings import Settings
from tests.support import recordings

VERSION = "0.2.26"
SHARED = ("faster-whisper", "ctranslate2", "onnxruntime")
"""Packages of which it gets the releases that we run on."""

PACKAGES = (f"whisperlivekit=={VERSION}", "torch==2.14.1", "librosa==0.11.0")
NOT_NEEDED = ("torchaudio", "triton", "cuda-bindings")

_INSTALL_S = 1_200
_START_S = 120
_STOP_S = 15
_SAID_CHARS = 2_000


def environment() -> Path:
    """The environment's Python; made at the first time.

    Raises:
        subprocess.SubprocessError: uv failed, or took too long.
    """
    folder = Settings().cache_dir / "benchmarks" / f"whisperlivekit-{VERSION}"
    python = folder / "bin" / "python"
    made = folder / "complete"
    wanted = "\n".join([*PACKAGES, *(f"{name}=={metadata.version(name)}" for name in SHARED)])
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"Installing WhisperLiveKit {VERSION} into an environment of its own.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory:
        left_out = Path(directory) / "excludes.txt"
        left_out.write_text("\n".join(NOT_NEEDED), encoding="utf-8")
        _uv("venv", "--python", sys.executable, folder)
        _uv("pip", "install", "--python", python, "--excludes", left_out, *wanted.splitlines())
    made.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    subprocess.run(command, check=True, timeout=_INSTALL_S, stdout=sys.stderr)


@contextmanager
def running() -> Iterator[int]:
    """Start it over our base model; its port, once it is ready. Stopped at the end.

    Raises:
        RuntimeError: it did not become ready.
    """
    python = environment()
    port = spare_port()
    weights = whisper.install(Settings().models_dir)
    command: list[str | Path] = [
        *(python, "-m", "whisperlivekit.basic_server", "--host", "127.0.0.1", "--port", str(port)),
        *("--model_dir", weights, "--lan", "en", "--pcm-input"),
        *("--backend", "faster-whisper", "--backend-policy", "localagreement"),
        *("--warmup-file", recordings.path_of("0930")),  # its own would come from the network
    ]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=offline, stdout=output, stderr=output)
        try:
            _wait_ready(port, process, output)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(port: int, process: subprocess.Popen[bytes], output: BinaryIO) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            answer = get_json(port, "/health")
        except OSError:
            time.sleep(0.1)
            continue
        if isinstance(answer, dict) and answer.get("ready"):
            return
        time.sleep(0.1)
    output.seek(0)
    said = output.read().decode(errors="replace")
    raise RuntimeError(f"WhisperLiveKit did not become ready: {said[-_SAID_CHARS:]}")


async def follow(port: int, talk: Talk, *, timeout_s: float) -> Followed:
    """One session over ``talk`` in real time; over once it has told that it is done.

    Args:
        port: where it listens.
        talk: what is said.
        timeout_s: longest wait after the end of the audio.
    """
    followed = Followed(talk)
    address = f"ws://127.0.0.1:{port}/asr"
    async with connect(address, ping_timeout=None, max_size=None) as socket:
        began = time.monotonic()
        speaking = asyncio.create_task(_speak(socket, talk, began))
        try:
            async with asyncio.timeout(talk.seconds + timeout_s):
                async for message in socket:
                    event = json.loads(message)
                    if event.get("type") == "ready_to_stop":
                        followed.finished = True
                        break
                    if "lines" in event:
                        followed.captions.append(_caption(event, time.monotonic() - began))
                await speaking
        except TimeoutError:
            speaking.cancel()
        followed.ended_at = time.monotonic() - began
    return followed


async def _speak(socket: ClientConnection, talk: Talk, began: float) -> None:
    await send_paced(socket, talk, began)
    await socket.send(b"")  # the end, in its protocol


def _caption(event: dict[str, Any], at: float) -> Caption:
    committed = " ".join(line["text"] for line in event["lines"] if line["text"])
    return Caption(at, committed, f"{committed} {event['buffer_transcription']}")
