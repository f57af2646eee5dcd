import os
from collections.abc import AsyncIterator

import pytest

from speech_translator.errors import PayloadTooLarge
from speech_translator.media import spool
from tests.support.media_samples import open_descriptors


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_an_upload_arrives_whole_and_can_be_opened(tmp_path):
    parts = [os.urandom(size) for size in (1, 700_000, 0, 900_000, 5)]
    with await spool(chunks(*parts), max_bytes=2_000_000, directory=tmp_path) as upload:
        assert upload.size == 1_600_006
        assert upload.read() == b"".join(parts)
        assert upload.read() == b"".join(parts)
        assert list(tmp_path.iterdir()) == [], "it has no name that could stay behind"


async def test_a_byte_over_the_cap_is_refused_and_the_rest_not_read(tmp_path):
    read = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(100):
            read.append(number)
            yield bytes(1000)

    before = open_descriptors()
    with pytest.raises(PayloadTooLarge) as refused:
        await spool(body(), max_bytes=2_999, directory=tmp_path)
    assert refused.value.details == {"limit_bytes": 2_999}
    assert len(read) == 3
    assert open_descriptors() == before


async def test_the_cap_itself_is_allowed():
    with await spool(chunks(bytes(3_000)), max_bytes=3_000) as upload:
        assert upload.size == 3_000


async def test_a_client_that_goes_away_leaves_nothing_open(tmp_path):
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    before = open_descriptors()
    with pytest.raises(ConnectionResetError):
        await spool(body(), max_bytes=100, directory=tmp_path)
    assert open_descriptors() == before
