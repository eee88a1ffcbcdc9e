"""/files: uploads of every client, lists, and downloads that a signature lets through."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from replicate.client import Client
from replicate.file import File as ClientsFile

from gateway.files.file import mark
from gateway.files.store import Facts
from gateway.surfaces.replicate import downloading
from gateway.surfaces.replicate.files import address_of, is_signed
from tests.gateway.surfaces.replicate.warehouse import MOST, SEAL, Warehouse, connected, listening, warehouse
from tests.waiting import until


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Warehouse]:
    async with warehouse(tmp_path) as opened:
        yield opened


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Warehouse]:
    async with listening(tmp_path) as opened:
        yield opened


def form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """A form of parts, each of its own header lines and content."""
    return b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts) + (
        f"--{boundary}--\r\n".encode()
    )


CONTENT = 'Content-Disposition: form-data; name="content"; filename="a.txt"\r\nContent-Type: text/plain'
PYTHON_1 = form(('Content-Disposition: form-data; name="metadata"', b'{"k": [1]}'), (CONTENT, b"hello"))
NODE = form(
    (CONTENT, b"hello"),
    (
        'Content-Disposition: form-data; name="metadata"; filename="blob"\r\nContent-Type: application/json',
        b'{"k": [1]}',
    ),
)
PYTHON_2 = form(
    ('Content-Disposition: form-data; name="filename"', b"a.txt"),
    ('Content-Disposition: form-data; name="metadata[k][l]"', b"1"),
    ('Content-Disposition: form-data; name="metadata[m]"', b"x"),
    ('Content-Disposition: form-data; name="type"', b"text/plain"),
    ('Content-Disposition: form-data; name="content"; filename="upload"', b"hello"),
)
NOTHING = form((CONTENT, b"hello"), ('Content-Disposition: form-data; name="metadata"', b"null"))


@pytest.mark.parametrize(
    ("body", "metadata"),
    (
        (PYTHON_1, {"k": [1]}),
        (NODE, {"k": [1]}),
        (PYTHON_2, {"k": {"l": "1"}, "m": "x"}),
        (NOTHING, {}),
        (PYTHON_1 + b"epilogue", {"k": [1]}),
    ),
)
async def test_every_clients_form_is_understood(here: Warehouse, body: bytes, metadata: object) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await here.ask("POST", "/files", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"] == told["urls"]["get"] == f"{here.api}/files/{told['id']}"
    assert (told["name"], told["content_type"], told["size"]) == ("a.txt", "text/plain", 5)
    assert told["etag"] == told["checksums"]["md5"] == hashlib.md5(b"hello").hexdigest()
    assert told["checksums"]["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert told["metadata"] == metadata
    assert told["created_at"] == "2027-01-15T08:00:00.000000Z" and told["expires_at"] == "2027-01-16T08:00:00.000000Z"
    assert ClientsFile(**told).id == told["id"]


async def test_a_form_may_come_in_any_pieces(here: Warehouse) -> None:
    async def bits() -> AsyncIterator[bytes]:
        for letter in PYTHON_1:
            yield bytes([letter])

    answer = await here.ask(
        "POST", "/files", content=bits(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 201 and answer.json()["size"] == 5


async def test_the_official_client_goes_all_the_way(there: Warehouse, tmp_path: Path) -> None:
    client = Client(api_token="me", base_url=f"{there.url}/replicate")
    path = tmp_path / "ä.bin"
    path.write_bytes(os.urandom(3_000_000))
    made = await client.files.async_create(path, metadata={"a": 1})
    assert (made.name, made.size, made.metadata) == ("ä.bin", 3_000_000, {"a": 1})
    assert [file.id for file in await client.files.async_list()] == [made.id]
    assert await client.files.async_get(made.id) == made
    assert await client.files.async_delete(made.id) is True
    assert await client.files.async_list() == []
    await client._async_client.aclose()


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    (
        (b"{}", "application/json", "multipart/form-data"),
        (b"", "multipart/form-data", "multipart/form-data"),
        (b"", "", "multipart/form-data"),
        (PYTHON_1[:-40], "multipart/form-data; boundary=b", "too soon"),
        (PYTHON_1, "multipart/form-data; boundary=c", "cannot be read"),
        (PYTHON_1, f"multipart/form-data; boundary={'b' * 257}", "cannot be read"),
        (b"\x00" * 1000, "multipart/form-data; boundary=b", "cannot be read"),
        (
            form(('Content-Disposition: form-data; name="other"', b"x")),
            "multipart/form-data; boundary=b",
            "no file part",
        ),
        (form((CONTENT, b"x"), (CONTENT, b"y")), "multipart/form-data; boundary=b", "one file part"),
        (
            form((CONTENT, b"x"), ('Content-Disposition: form-data; name="metadata"', b"{")),
            "multipart/form-data; boundary=b",
            "not valid JSON",
        ),
        (
            form((CONTENT, b"x"), ('Content-Disposition: form-data; name="metadata"', b"[1]")),
            "multipart/form-data; boundary=b",
            "JSON object",
        ),
        (
            form((CONTENT, b"x"), ('Content-Disposition: form-data; name="metadata"', b" " * 300_000)),
            "multipart/form-data; boundary=b",
            "fields of a form",
        ),
        (
            form(*[(f'Content-Disposition: form-data; name="f{index}"', b"x") for index in range(99)], (CONTENT, b"x")),
            "multipart/form-data; boundary=b",
            "fields at most",
        ),
    ),
)
async def test_what_is_no_such_form_is_refused(here: Warehouse, body: bytes, kind: str, words: str) -> None:
    answer = await here.ask("POST", "/files", content=body, headers={"content-type": kind})
    assert answer.status_code == 400 and words in answer.json()["detail"]
    assert here.objects() == []


async def test_what_reads_a_refused_form_is_closed_with_it(here: Warehouse) -> None:
    with warnings.catch_warnings():
        # What other tests left open is not this one's affair.
        warnings.simplefilter("ignore")
        gc.collect()
    left: list[str] = []
    close = sys.get_asyncgen_hooks().finalizer
    assert close is not None

    def note(generator: Any) -> None:
        # What the test's own client leaves open is its own affair.
        if not generator.ag_code.co_filename.startswith(httpx.__path__[0]):
            left.append(generator.__qualname__)
        close(generator)

    sys.set_asyncgen_hooks(finalizer=note)
    try:
        body = form((CONTENT, b"x"), (CONTENT, b"y"))
        answer = await here.ask(
            "POST", "/files", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
        )
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(finalizer=close)
    assert answer.status_code == 400 and left == []


async def test_a_file_may_be_as_large_as_it_may_and_no_larger(there: Warehouse) -> None:
    assert (await there.upload(bytes(MOST)))["size"] == MOST
    kept = there.objects()

    async def unsized() -> AsyncIterator[bytes]:
        yield form((CONTENT, bytes(MOST + 1)))

    headers = {"content-type": "multipart/form-data; boundary=b"}
    for sent in (form((CONTENT, bytes(MOST + 1))), form((CONTENT, bytes(2 * MOST))), unsized()):
        answer = await there.ask("POST", "/files", content=sent, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (413, f"A file may have {MOST} bytes at most.")
    assert there.objects() == kept


@pytest.mark.parametrize("sent", (0, 50_000, 3_000_000))
async def test_an_upload_that_is_cut_leaves_nothing(
    there: Warehouse, sent: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = form((CONTENT, b""))[: -len(b"\r\n--b--\r\n")]
    lines = "POST /replicate/v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer me\r\n"
    lines += f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {MOST}\r\n\r\n"
    folder = Path(there.files._where)
    async with connected(there) as line:
        await line.send(lines.encode() + head + bytes(sent))
        if sent > 1 << 20:
            await until(lambda: any(folder.rglob("*#*")))
        line.drop()
    await until(lambda: not [path for path in folder.rglob("*") if path.is_file()])
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_upload_of_which_nothing_comes_is_ended(tmp_path: Path) -> None:
    async with listening(tmp_path, deadline_s=0.05) as here, connected(here) as line:
        lines = "POST /replicate/v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer me\r\n"
        lines += "content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n--b\r\n"
        await line.send(lines.encode())
        assert (await line.rest()).startswith(b"HTTP/1.1 408 ")
        assert here.objects() == []


async def test_pages_lead_through_all_files(here: Warehouse) -> None:
    ids = []
    for _ in range(103):
        kept = await here.files.keep(mark("me"), "upload", _some(b"x"), 10, lambda: Facts("n"))
        ids.append(kept.id)
        here.clock.turn(0.002)
    first = (await here.ask("GET", "/files")).json()
    assert [file["id"] for file in first["results"]] == ids[:2:-1] and first["previous"] is None
    second = (await here.ask("GET", first["next"])).json()
    assert [file["id"] for file in second["results"]] == ids[2::-1] and second["next"] is None
    back = (await here.ask("GET", second["previous"])).json()
    assert back == first
    answer = await here.ask("GET", "/files?cursor=older-../../x")
    assert answer.status_code == 400 and "cursor" in answer.json()["detail"]


async def test_files_are_their_owners_alone(here: Warehouse) -> None:
    id = (await here.upload())["id"]
    for method, path in (("GET", f"/files/{id}"), ("DELETE", f"/files/{id}")):
        answer = await here.ask(method, path, "you")
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
        assert (await here.ask(method, path, None)).status_code == 401
    assert (await here.ask("GET", "/files", "you")).json()["results"] == []
    assert (await here.ask("DELETE", f"/files/{id}")).status_code == 204
    assert (await here.ask("DELETE", f"/files/{id}")).status_code == 404


async def test_a_page_of_another_site_deletes_and_uploads_nothing(here: Warehouse) -> None:
    id = (await here.upload())["id"]
    headers = {"origin": "https://elsewhere.example"}
    assert (await here.ask("DELETE", f"/files/{id}", headers=headers)).status_code == 403
    assert (await here.ask("POST", "/files", files={"content": b"x"}, headers=headers)).status_code == 403
    assert len(here.objects()) == 2


async def test_a_signed_address_needs_no_key(here: Warehouse) -> None:
    told = await here.upload(b"0123456789")
    answer = await here.ask("GET", told["urls"]["download"], None)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["etag"] == f'"{told["etag"]}"'
    assert answer.headers["content-length"] == "10"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["cache-control"] == "private, max-age=86400"
    assert answer.headers["access-control-allow-origin"] == "*"
    head = await here.ask("HEAD", told["urls"]["download"], None)
    assert head.headers["content-length"] == "10" and head.content == b""


async def test_a_models_file_has_an_address_that_ends_in_its_name(here: Warehouse) -> None:
    kept = (
        await here.files.keep(mark("me"), "output", _some(b"png"), 10, lambda: Facts("a b/ö.png", "image/png"))
    ).kept
    url = address_of(kept, here.api, here.files, SEAL)
    assert url == address_of(kept, here.api, here.files, SEAL)
    assert url.startswith(f"{here.api}/files/") and url.endswith("/%C3%B6.png") and is_signed(urlsplit(url).path)
    for each in (url, url.replace("/replicate/v1/", "/replicate/"), url.replace("/v1/", "/v1/v1/")):
        answer = await here.ask("GET", each, None)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"png", "image/png")
    assert answer.headers["content-disposition"] == "inline; filename=\"_.png\"; filename*=UTF-8''%C3%B6.png"
    here.clock.turn(3599)
    assert (await here.ask("GET", url, None)).headers["cache-control"] == "private, max-age=1"
    here.clock.turn(1)
    assert (await here.ask("GET", url, None)).status_code == 404


async def test_a_signature_is_for_one_file_of_one_owner_and_for_its_time(here: Warehouse) -> None:
    mine, other = await here.upload(b"mine"), await here.upload(b"other")
    url = urlsplit(mine["urls"]["download"])
    asked = {name: value for name, [value] in parse_qs(url.query).items()}
    assert asked["owner"] == mark("me") and "me" not in url.query.replace(mark("me"), "")
    wrong = [
        {**asked, "expiry": str(int(asked["expiry"]) + 1)},
        {**asked, "expiry": f"+{asked['expiry']}"},
        {**asked, "expiry": "٣"},
        {**asked, "owner": mark("you")},
        {**asked, "owner": ""},
        {**asked, "signature": asked["signature"][:-1]},
        {**asked, "signature": asked["signature"].swapcase()},
        {**asked, "signature": "ä"},
        {**asked, "signature": ""},
        {},
    ]
    for each in wrong:
        answer = await here.ask("GET", f"{url.scheme}://{url.netloc}{url.path}?{urlencode(each)}", None)
        assert (answer.status_code, answer.json()["status"]) == (404, 404), each
    moved = mine["urls"]["download"].replace(mine["id"], other["id"])
    assert (await here.ask("GET", moved, None)).status_code == 404
    await here.ask("DELETE", f"/files/{mine['id']}")
    assert (await here.ask("GET", mine["urls"]["download"], None)).status_code == 404
    here.clock.turn(86400)
    assert (await here.ask("GET", other["urls"]["download"], None)).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    (
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=x-y", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=0-3", 200, b"0123456789", None),
    ),
)
async def test_a_part_of_a_file_is_given(
    here: Warehouse, asked: str, status: int, content: bytes, told: str | None
) -> None:
    url = (await here.upload(b"0123456789"))["urls"]["download"]
    answer = await here.ask("GET", url, None, headers={"range": asked})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, told)


async def test_what_a_browser_has_is_not_sent_again(there: Warehouse) -> None:
    told = await there.upload(b"0123456789")
    url, etag = told["urls"]["download"], f'"{told["etag"]}"'
    for tags, status in ((etag, 304), (f'"x", W/{etag}', 304), ('"x"', 200)):
        assert (await there.ask("GET", url, None, headers={"if-none-match": tags})).status_code == status
    for condition, status in ((etag, 206), ('"x"', 200)):
        headers = {"range": "bytes=0-1", "if-range": condition}
        assert (await there.ask("GET", url, None, headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("name", "kind", "how", "sent"),
    (
        ("a.html", "text/html", "attachment", "text/html"),
        ("a.svg", "image/svg+xml", "attachment", "image/svg+xml"),
        ("a.xhtml", "application/xhtml+xml", "attachment", "application/xhtml+xml"),
        ("a.js", "text/javascript", "attachment", "text/javascript"),
        ("a.bin", "", "attachment", "application/octet-stream"),
        ("a", "x/y z", "attachment", "application/octet-stream"),
        ("a.PNG", "IMAGE/PNG", "inline", "IMAGE/PNG"),
        ("a.wav", "audio/wav", "inline", "audio/wav"),
        ("a.mp4", "video/mp4", "inline", "video/mp4"),
        ("a.pdf", "application/pdf", "inline", "application/pdf"),
    ),
)
async def test_nothing_that_could_run_is_drawn(here: Warehouse, name: str, kind: str, how: str, sent: str) -> None:
    answer = await here.ask("GET", (await here.upload(b"x", name, kind))["urls"]["download"], None)
    assert answer.headers["content-disposition"].startswith(f'{how}; filename="{name}"')
    assert answer.headers["content-type"] == sent


async def test_no_name_breaks_a_header(here: Warehouse) -> None:
    body = form(
        ('Content-Disposition: form-data; name="filename"', 'x"\r\nset-cookie: a=b;\x00/..\\"ä%22.txt'.encode()),
        ('Content-Disposition: form-data; name="type"', b"text/plain\r\nset-cookie: a=b"),
        (CONTENT, b"hello"),
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    told = (await here.ask("POST", "/files", content=body, headers=headers)).json()
    assert told["name"] == '"ä%22.txt' and told["content_type"] == "application/octet-stream"
    answer = await here.ask("GET", told["urls"]["download"], None)
    assert answer.status_code == 200 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("leaves", (True, False))
async def test_who_leaves_or_takes_nothing_holds_no_file(
    there: Warehouse, leaves: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = urlsplit((await there.upload(os.urandom(MOST)))["urls"]["download"])
    monkeypatch.setattr(downloading, "_STALL_S", 10.0 if leaves else 0.05)
    closed, read = asyncio.Event(), there.files.read

    async def watched(*asked: Any) -> AsyncIterator[bytes]:
        async with aclosing(read(*asked)) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            finally:
                closed.set()

    monkeypatch.setattr(there.files, "read", watched)
    async with connected(there) as line:
        await line.send(f"GET {url.path}?{url.query} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await line.hear(b"\r\n\r\n")
        assert not closed.is_set()
        if leaves:
            line.drop()
        await asyncio.wait_for(closed.wait(), 5)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_file_that_breaks_off_in_the_store_breaks_off_for_its_reader(
    there: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    told = await there.upload(bytes(MOST))
    [path] = Path(there.files._where).rglob(told["id"])
    path.write_bytes(bytes(MOST // 2))
    with pytest.raises(httpx.RemoteProtocolError):
        await there.ask("GET", told["urls"]["download"], None)
    path.unlink()
    with pytest.raises(httpx.RemoteProtocolError):
        await there.ask("GET", told["urls"]["download"], None)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_signed_addresses_are_told_from_others() -> None:
    for prefix in ("/replicate", "/replicate/v1", "/replicate/v1/v1"):
        assert is_signed(f"{prefix}/files/x/download") and is_signed(f"{prefix}/files/x/y/z.png")
        for path in ("", "/", "/files", "/files/x", "/files/x/", "/files//download", "/predictions/x/cancel"):
            assert not is_signed(prefix + path)
    assert not is_signed("/v1/files/x/download") and not is_signed("/replicate/v1/files/x/y/z/w")


async def _some(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
