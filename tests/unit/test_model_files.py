"""Files of models are compared with what they must be, before a restart finds them damaged."""

from __future__ import annotations

import hashlib
import os

import pytest

from speech_translator.engines import catalog, model_files
from speech_translator.engines.model_files import ModelFile, ModelFiles, files_of

CONTENT = b"weights"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    return ModelFile("tiny", path, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_file_that_is_as_it_must_be(file):
    files = ModelFiles([file])
    assert files.damaged() is None
    assert files.damaged() is None


def test_one_that_is_gone_or_was_cut_short(file):
    files = ModelFiles([file])
    file.path.write_bytes(CONTENT[:-1])
    assert files.damaged() == "model.bin of tiny has 6 bytes in place of 7"
    file.path.unlink()
    assert files.damaged() == "model.bin of tiny is gone"


def test_one_whose_bytes_changed_is_found_at_the_start_and_when_it_is_replaced(file):
    files = ModelFiles([file])
    file.path.write_bytes(CONTENT.swapcase())
    assert files.damaged() == "model.bin of tiny does not match its SHA-256"
    file.path.write_bytes(CONTENT)
    assert files.damaged() is None
    file.path.write_bytes(CONTENT.swapcase())
    os.utime(file.path, ns=(1, 1))  # a time of its own, however fast this went
    assert files.damaged() == "model.bin of tiny does not match its SHA-256"


def test_large_files_are_not_read(file, monkeypatch):
    monkeypatch.setattr(model_files, "HASHED_BYTES", 1)
    file.path.write_bytes(CONTENT.swapcase())
    assert ModelFiles([file]).damaged() is None


def test_the_embedded_models_are_found_where_they_are(tmp_path):
    found = files_of({"silero", "bergamot", "whisper"}, tmp_path)
    installed = [card for card in catalog.CARDS if card.engine in {"silero", "bergamot", "whisper"}]
    expected = {card.id for card in installed if catalog.installed(card, tmp_path)}
    assert {file.model for file in found} == {card for card in expected if card}
    assert all(file.path.is_file() and file.size > 0 for file in found)
    assert files_of(set(), tmp_path) == []
