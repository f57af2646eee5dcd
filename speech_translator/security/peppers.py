"""The secret that keys are kept under, where nobody gave one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from speech_translator.errors import ConfigurationError

PEPPER_BYTES = 32
"""Of a pepper that is made here, and the fewest of one that is given."""


def kept_pepper(path: Path) -> bytes:
    """The pepper in a file that only its owner may read; made when it is not there.

    For development: in production a pepper beside the database would be stolen with it.

    Raises:
        ConfigurationError: it cannot be read or written.
    """
    try:
        make_private(path.parent)
        with suppress(FileExistsError):
            # In one step: of two that start at once, both read what the first one wrote.
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(PEPPER_BYTES))
            try:
                os.link(temporary, path)
            finally:
                temporary.unlink()
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The secret of development cannot be kept ({error.strerror}). Set DATA_DIR to a "
            "directory that can be written, or SECRET_PEPPER."
        ) from error


def make_private(directory: Path) -> None:
    """A directory for its owner alone; one that is there is left as it is.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"The directory of the database cannot be made ({error.strerror}). Set DATA_DIR to one "
            "that can be written."
        ) from error
