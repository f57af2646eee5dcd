"""The part of APy's HTTP interface that is used: ``/listPairs`` and ``/translate``.

Requests are POST, so that no text stands in an address or an access log. The standard library's
client is enough: one request a call, on loopback as a rule.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from speech_translator.engines.apertium_codes import Pair
from speech_translator.errors import ConfigurationError

MAX_ANSWER_BYTES = 4 * 1024 * 1024
_OK = 200


class ServerFailed(Exception):
    """APy answered with an error; ``status`` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"APy answered with status {status}.")
        self.status = status


class Client:
    """Calls one APy. Safe to use from several threads.

    Args:
        url: its address, ``http://127.0.0.1:2737`` or ``https://host/path``.
        timeout_s: seconds until a connection is made, and between two pieces of an answer.

    Raises:
        ConfigurationError: the address is not one of HTTP.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError("APERTIUM_URL has to look like http://127.0.0.1:2737.")
        self._connection = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._host, self._port = parts.hostname, port
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s

    def pairs(self) -> list[Pair]:
        """The pairs that it has, in Apertium's codes. Raises as ``translate`` does."""
        found: Any = self._post("/listPairs", {"q": "pairs"})
        try:
            return [(pair["sourceLanguage"], pair["targetLanguage"]) for pair in found]
        except (KeyError, TypeError):
            raise ServerFailed(_OK) from None

    def translate(self, text: str, pair: Pair) -> str:
        """The translation of plain text, with Apertium's marks.

        Raises:
            OSError, http.client.HTTPException: it cannot be reached, or did not answer in time.
            ServerFailed: it answered with an error or with something else than a translation.
        """
        query = {"langpair": "|".join(pair), "q": text, "format": "txt", "markUnknown": "yes"}
        found = self._post("/translate", query)
        translated = found.get("translatedText") if isinstance(found, dict) else None
        if not isinstance(translated, str):
            raise ServerFailed(_OK)
        return translated

    def _post(self, path: str, query: Mapping[str, str]) -> object:
        connection = self._connection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(
                "POST",
                self._path + path,
                body=urlencode(query).encode("ascii"),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            response = connection.getresponse()
            body = response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
        if response.status != _OK:
            raise ServerFailed(response.status)
        try:
            return json.loads(body)["responseData"]
        except (ValueError, KeyError, TypeError):
            raise ServerFailed(response.status) from None
