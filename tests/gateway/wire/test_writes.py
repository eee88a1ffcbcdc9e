"""Requests to write a remote stream: what they mean, and what makes no sense."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engines.base import Prompt
from gateway.errors import HearthError
from gateway.generation import Generation
from gateway.log.local import Log
from gateway.wire import writes
from gateway.wire.ledger import Ledger, mark

TEXT = "text/plain"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"content-type": TEXT}, b"", "invalid_request"),
        ({"content-type": TEXT, "stream-closed": "yes"}, b"", "invalid_request"),
        ({}, b"a", "invalid_request"),
        ({"content-type": "application/json"}, b"[]", "invalid_request"),
        ({"content-type": "application/json"}, b"{", "bad_json"),
        ({"content-type": "application/json"}, b"1 2", "bad_json"),
        ({"content-type": "application/json"}, b'["\xff"]', "bad_json"),
        ({"content-type": "application/json"}, b"[" * 100_000, "bad_json"),
        ({"content-type": "application/json"}, b"[" + b"1," * 10_000 + b"1]", "body_too_large"),
        ({"content-type": TEXT, "producer-id": "p"}, b"a", "invalid_request"),
        ({"content-type": TEXT, "producer-epoch": "0", "producer-seq": "0"}, b"a", "invalid_request"),
        (
            {"content-type": TEXT, "producer-id": "", "producer-epoch": "0", "producer-seq": "0"},
            b"a",
            "invalid_request",
        ),
        *(
            ({"content-type": TEXT, "producer-id": "p", "producer-epoch": "0", "producer-seq": seq}, b"a", code)
            for seq, code in [
                (each, "invalid_request") for each in ("", "-1", "+1", "01", "1e3", "1.0", "٣", str(2**53))
            ]
        ),
    ],
)
def test_a_post_that_makes_no_sense_is_refused(headers: Mapping[str, str], body: bytes, code: str) -> None:
    with pytest.raises(HearthError) as told:
        writes.append(headers, body)
    assert told.value.code == code


@pytest.mark.parametrize(
    "headers",
    [
        {"stream-ttl": "60", "stream-expires-at": "2030-01-01T00:00:00Z"},
        *({"stream-ttl": ttl} for ttl in ("", "-1", "+1", "01", "1e3", "1.5", "abc", "9" * 12)),
        *(
            {"stream-expires-at": at}
            for at in ("", "soon", "2030-01-01", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z")
        ),
        *({"content-type": kind} for kind in ("", "text", "text/", "a b/c", "text/plain\u00e9", "text/plain; é")),
    ],
)
def test_a_put_that_makes_no_sense_is_refused(headers: Mapping[str, str]) -> None:
    with pytest.raises(HearthError, match="invalid_request"):
        writes.create(headers, 1.0)


def test_one_array_is_many_messages_and_each_stays_as_it_was_written() -> None:
    def split(body: bytes) -> tuple[bytes, ...]:
        return writes.split("application/json; charset=utf-8", body)

    assert split(b' {"a": 1} ') == (b'{"a": 1}',)
    assert split(b'[{"a":1}, [2, 3],"x",12345678901234567890123, 1.0]') == (
        b'{"a":1}',
        b"[2, 3]",
        b'"x"',
        b"12345678901234567890123",
        b"1.0",
    )
    assert split(b"[[[1]]]") == (b"[[1]]",)
    assert split(b"[]") == split(b"") == ()
    assert writes.split("text/plain", b"[1,2]") == (b"[1,2]",)


def test_the_same_put_again_is_known_by_what_it_means() -> None:
    def like(stream: Ledger, headers: Mapping[str, str], closed: bool = False) -> bool:
        return stream.is_like(writes.create(headers, 9.0), closed)

    def a_stream(**headers: str) -> Ledger:
        log = Log(Generation(id="remote_1", owner="ann", model="", prompt=Prompt(), created=1.0, remote=True), "epoch")
        written = {"content-type": TEXT, **{name.replace("_", "-"): value for name, value in headers.items()}}
        log.extend([mark(writes.create(written, 1.0))])
        return Ledger(log)

    assert like(a_stream(), {"content-type": "TEXT/PLAIN;charset=utf-8"})
    assert not like(a_stream(), {"content-type": "text/html"})
    assert not like(a_stream(), {"content-type": TEXT}, closed=True)
    assert like(a_stream(stream_ttl="5"), {"content-type": TEXT, "stream-ttl": "5"})
    assert not like(a_stream(stream_ttl="5"), {"content-type": TEXT})
    fixed = a_stream(stream_expires_at="2030-01-01T00:00:00Z")
    assert like(fixed, {"content-type": TEXT, "stream-expires-at": "2030-01-01T01:00:00+01:00"})
    assert not like(fixed, {"content-type": TEXT, "stream-expires-at": "2030-01-01T01:00:00Z"})
