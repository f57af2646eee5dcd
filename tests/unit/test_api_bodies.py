"""Bodies: caps, pace, types, and uploads on disk."""

import asyncio
import os

import msgspec
import pytest
from starlette.requests import Request

from speech_translator import errors
from speech_translator.api.body import (
    BodyReader,
    Pace,
    cancel_on_disconnect,
    check_json_type,
    decode_json,
    read_json,
)
from speech_translator.api.errors import ClientDisconnected
from speech_translator.api.schemas import TranslateTextRequest
from speech_translator.api.uploads import receive_upload

DECODER = msgspec.json.Decoder(TranslateTextRequest)
GOOD = b'{"text":"Hello","target_language":"pt"}'
SECRET = "topsecretwords"
PACE = Pace(5, 5)


class Amounts(msgspec.Struct, forbid_unknown_fields=True):
    many: dict[str, int] = {}
    few: int | None = None
    part: float = 0.0


AMOUNTS = msgspec.json.Decoder(Amounts)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"many":{"a":5.0},"few":2e2}', Amounts({"a": 5}, 200)),
        (b'{"few":1.0,"part":1.0}', Amounts(few=1, part=1.0)),
        (b'{"few":1.0,"part":1.5}', Amounts(few=1, part=1.5)),
    ],
)
def test_a_whole_number_may_be_written_with_a_point(body, found):
    assert decode_json(body, AMOUNTS) == found


@pytest.mark.parametrize(
    "body",
    [b'{"few":1.5}', b'{"few":"1"}', b'{"few":1.0,"x":1}', b'{"many":{"a":5.0,"b":0.5}}'],
)
def test_a_part_of_a_number_is_no_whole_one(body):
    with pytest.raises(errors.InvalidField):
        decode_json(body, AMOUNTS)


def request(*pieces, headers=None, then="hang"):
    """A request whose body arrives in ``pieces``; ``then`` it hangs, or its client leaves."""
    messages = [
        {
            "type": "http.request",
            "body": piece,
            "more_body": index < len(pieces) - 1 or then == "cut",
        }
        for index, piece in enumerate(pieces)
    ]

    async def receive():
        if messages:
            return messages.pop(0)
        if then in {"leave", "cut"}:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        return None

    encoded = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    made = Request({"type": "http", "method": "POST", "headers": encoded, "path": "/"}, receive)
    made.left = messages
    return made


async def read(found, limit=100, pace=PACE):
    return b"".join([p async for p in BodyReader(found, limit=limit, pace=pace).pieces()])


async def test_pieces_are_joined():
    assert await read(request(b"ab", b"", b"cd")) == b"abcd"


async def test_a_body_at_the_limit_passes_and_one_byte_more_does_not():
    assert len(await read(request(b"a" * 60, b"a" * 40))) == 100
    with pytest.raises(errors.PayloadTooLarge) as raised:
        await read(request(b"a" * 60, b"a" * 41))
    assert raised.value.details["limit_bytes"] == 100


@pytest.mark.parametrize("length", ["101", "9" * 5_000])
async def test_a_declared_length_over_the_limit_is_refused_before_the_body(length):
    found = request(b"a" * 50, headers={"content-length": length})
    with pytest.raises(errors.PayloadTooLarge):
        await read(found)
    assert len(found.left) == 1


async def test_who_sends_too_much_gets_to_send_it_before_the_answer():
    found = request(*[b"a" * 50] * 5)
    with pytest.raises(errors.PayloadTooLarge):
        await BodyReader(found, limit=100, pace=PACE).whole()
    assert not found.left


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "\xb2"])
async def test_a_length_that_is_no_number_is_refused(length):
    found = request(b"a")
    found.scope["headers"] = [(b"content-length", length.encode("latin-1"))]
    with pytest.raises(errors.MalformedBody):
        await read(found)


async def test_a_body_that_stops_coming_is_given_up():
    found = request(b"a" * 10, headers={})
    found.left[0]["more_body"] = True
    with pytest.raises(errors.BodyTimeout):
        async with asyncio.timeout(5):  # so that the test itself ends
            await read(found, pace=Pace(0.01, 3600))


async def test_a_body_that_comes_without_an_end_is_given_up():
    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    found = request()
    found._receive = receive
    with pytest.raises(errors.BodyTimeout):
        async with asyncio.timeout(5):  # so that the test itself ends
            await read(found, pace=Pace(3600, 0.02))


async def test_a_client_that_leaves_ends_the_reading():
    with pytest.raises(ClientDisconnected):
        await read(request(b"a", then="cut"))


async def test_what_is_still_sent_after_a_refusal_is_read_for_a_while():
    found = request(*[b"a" * 60] * 5, headers={"content-type": "application/json"})
    with pytest.raises(errors.PayloadTooLarge):
        await read_json(found, DECODER, limit=100, pace=PACE)
    assert found.left == []


async def test_a_client_that_waits_for_our_word_gets_it_at_once():
    headers = {
        "content-type": "application/json",
        "content-length": "999",
        "expect": "100-continue",
    }
    found = request(b"a" * 60, headers=headers)
    with pytest.raises(errors.PayloadTooLarge):
        await read_json(found, DECODER, limit=100, pace=PACE)
    assert len(found.left) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "Application/JSON; charset=utf-8"},
        {"content-type": "application/ld+json"},
        {"content-type": "application/x-www-form-urlencoded"},
        {},
        {"content-type": "application/json", "origin": "http://localhost"},
    ],
)
def test_json_is_taken_from_programs_also_as_curl_declares_it(headers):
    check_json_type(request(headers=headers).headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded", "origin": "http://localhost"},
        {"content-type": "application/x-www-form-urlencoded", "sec-fetch-mode": "cors"},
        {"origin": "http://localhost"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/jsonp"},
    ],
)
def test_other_types_and_forms_of_browsers_are_refused(headers):
    with pytest.raises(errors.UnsupportedMediaType):
        check_json_type(request(headers=headers).headers)


def test_a_good_body_is_decoded_with_defaults():
    found = decode_json(GOOD, DECODER)
    assert (found.text, found.source_language, found.format) == ("Hello", "auto", "text")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json " + SECRET.encode(),
        b'{"text":"\xff","target_language":"pt"}',
        b'{"text":"\xed\xa0\x80","target_language":"pt"}',
        b'{"text":"\\ud800","target_language":"pt"}',
        b'{"text":"\\udc00 x","target_language":"pt"}',
        b'{"text":"a","target_language":"pt"} ' + SECRET.encode(),
        b'{"text":NaN,"target_language":"pt"}',
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        b'{"glossary":' + b'{"a":' * 100_000 + b"}",
    ],
)
def test_bodies_that_are_not_json_in_utf8(body):
    with pytest.raises((errors.MalformedBody, errors.InvalidField)) as raised:
        decode_json(body, DECODER)
    assert SECRET not in str(raised.value)


def test_deep_json_is_refused_whatever_the_type():
    anything = msgspec.json.Decoder(dict[str, object])
    with pytest.raises(errors.MalformedBody):
        decode_json(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", anything)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", ""),
        (b"null", ""),
        (b'"topsecretwords"', ""),
        (b'{"target_language":"pt"}', "text"),
        (b'{"text":"a"}', "target_language"),
        (b'{"text":7,"target_language":"pt"}', "text"),
        (b'{"text":{"topsecretwords":1},"target_language":"pt"}', "text"),
        (b'{"text":["a",null],"target_language":"pt"}', "text"),
        (b'{"text":"a","target_language":null}', "target_language"),
        (b'{"text":"a","target_language":"pt","format":"topsecretwords"}', "format"),
        (b'{"text":"a","target_language":"pt","topsecretwords":1}', ""),
        (b'{"text":"a","target_language":"pt","glossary":["topsecretwords"]}', "glossary"),
        (b'{"text":"a","target_language":"pt","glossary":{"topsecretwords":1}}', "glossary"),
    ],
)
def test_wrong_fields_are_named_and_values_are_not_quoted(body, field):
    with pytest.raises(errors.InvalidField) as raised:
        decode_json(body, DECODER)
    assert raised.value.details["field"] == field
    assert SECRET not in f"{raised.value}{raised.value.details}"
    if field:
        assert field in raised.value.message


async def test_work_is_cancelled_when_its_client_leaves():
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def work():
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(ClientDisconnected):
        await cancel_on_disconnect(request(then="leave"), work())
    assert cancelled.is_set()
    assert asyncio.current_task().cancelling() == 0


async def test_work_that_is_done_is_given_back_and_nothing_is_left_behind():
    async def work():
        await asyncio.sleep(0)
        return 7

    before = asyncio.all_tasks()
    assert await cancel_on_disconnect(request(), work()) == 7
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_another_cancellation_is_not_taken_for_a_client_that_left():
    async def work():
        await asyncio.Event().wait()

    task = asyncio.create_task(cancel_on_disconnect(request(), work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Uploads


def part(name, value, filename=None, disposition="form-data"):
    named = f'; filename="{filename}"' if filename else ""
    head = f'--B\r\nContent-Disposition: {disposition}; name="{name}"{named}\r\n\r\n'
    return head.encode() + value + b"\r\n"


FORM = "multipart/form-data"
FILE = part("file", b"RIFF" + bytes(100), "a.wav")
END = b"--B--\r\n"


def form(*parts, step=7, kind="multipart/form-data; boundary=B", **headers):
    body = b"".join(parts)
    pieces = [body[i : i + step] for i in range(0, len(body), step)] or [b""]
    return request(*pieces, headers={"content-type": kind, **headers})


async def upload(directory, found, limit=1000):
    fields = ("target_language", "glossary")
    async with receive_upload(found, directory, fields=fields, limit=limit, pace=PACE) as got:
        return got, got.file.read()


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_a_form_is_split_into_file_and_fields(tmp_path, step):
    sent = form(part("target_language", b"pt-BR"), FILE, END, step=step)
    got, data = await upload(tmp_path, sent)
    assert data == b"RIFF" + bytes(100)
    assert got.file.size == 104
    assert got.fields == {"target_language": "pt-BR"}
    assert list(tmp_path.iterdir()) == []


async def test_a_file_without_a_filename_is_still_the_file(tmp_path):
    _, data = await upload(tmp_path, form(part("file", b"abc"), END))
    assert data == b"abc"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (lambda: form(part("target_language", b"pt"), END), errors.InvalidField),
        (lambda: form(FILE, FILE, END), errors.InvalidField),
        (lambda: form(FILE, part("topsecretwords", b"x"), END), errors.InvalidField),
        (lambda: form(FILE, part("audio", b"x", "b.wav"), END), errors.InvalidField),
        (lambda: form(*[part("glossary", b"a")] * 2, FILE, END), errors.InvalidField),
        (lambda: form(part("file", b"", "a.wav"), END), errors.EmptyAudio),
        (lambda: form(FILE), errors.MalformedBody),
        (lambda: form(FILE[:-20]), errors.MalformedBody),
        (lambda: form(b""), errors.MalformedBody),
        (lambda: form(END), errors.InvalidField),
        (lambda: form(b"no form at all"), errors.MalformedBody),
        (lambda: form(part("file", b"x", disposition="attachment"), END), errors.MalformedBody),
        (lambda: form(b"--B\r\n\r\nx\r\n", END), errors.MalformedBody),
        (lambda: form(b"--B\r\n" + b"a: b\r\n" * 50 + b"\r\nx\r\n", END), errors.MalformedBody),
        (lambda: form(part("glossary", b"\xff"), FILE, END), errors.MalformedBody),
        (lambda: form(part("glossary", b"x" * 300_000), END, step=65536), errors.PayloadTooLarge),
        (lambda: form(part("file", b"x" * 1001), END), errors.PayloadTooLarge),
        (lambda: form(FILE, END, kind=FORM), errors.MalformedBody),
        (lambda: form(FILE, END, kind=f"{FORM}; boundary={'x' * 71}"), errors.MalformedBody),
        (lambda: form(FILE, END, kind="application/json"), errors.UnsupportedMediaType),
        (lambda: form(FILE, END, kind="multipart/mixed; boundary=B"), errors.UnsupportedMediaType),
        (lambda: form(FILE, END, **{"content-encoding": "gzip"}), errors.UnsupportedMediaType),
        (lambda: request(FILE[:30], headers={"content-type": "multipart/form-data; boundary=B"},
                         then="cut"), ClientDisconnected),
    ],
)  # fmt: skip
async def test_forms_that_cannot_be_used_leave_no_file_behind(tmp_path, sent, error):
    with pytest.raises(error) as raised:
        await upload(tmp_path, sent())
    assert SECRET not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


async def test_a_large_file_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("speech_translator.media.upload._WRITE_BYTES", 50_000)
    content = os.urandom(300_000)
    _, data = await upload(tmp_path, form(part("file", content), END, step=65_536), limit=300_000)
    assert data == content


async def test_a_full_disk_is_ours_to_tell_and_not_a_crash(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speech_translator.media.upload.tempfile.TemporaryFile", full)
    with pytest.raises(errors.Overloaded):
        await upload(tmp_path, form(FILE, END))


async def test_an_upload_that_the_disk_cannot_hold_is_refused_first(tmp_path):
    with pytest.raises(errors.Overloaded):
        await upload(tmp_path, form(FILE, END, **{"content-length": str(10**18)}))
