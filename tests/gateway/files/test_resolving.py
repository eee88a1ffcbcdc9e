"""Own files in an input are found, and nobody else's are."""

from __future__ import annotations

from base64 import b64encode
from random import randbytes
from typing import Any

import obstore
import pytest

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files.file import File, mark
from gateway.files.resolving import resolve
from gateway.files.store import Facts, Files
from tests.gateway.files.contract import some
from tests.turning import Turned

HERE = "https://gw.example/replicate/v1"


def schema(**properties: Any) -> dict[str, Any]:
    return {"components": {"schemas": {"Input": {"type": "object", "properties": properties}}}}


URI = {"type": "string", "format": "uri"}
MANY = {"type": "array", "items": URI}
MAYBE = {"anyOf": [URI, {"type": "null"}]}
DEEP = {"type": "object", "additionalProperties": {"type": "object", "properties": {"image": MAYBE}}}
TAKES = schema(image=URI, images=MANY, mask=MAYBE, parts=DEEP, prompt={"type": "string"})


@pytest.fixture
def files() -> Files:
    return Files("memory://", Turned(), upload_s=100)


async def keep(files: Files, owner: str = "me") -> File:
    return await files.keep(mark(owner), "upload", some(b"x"), 10, lambda: Facts("a.png", "image/png"))


@pytest.mark.parametrize("prefix", ("/replicate", "/replicate/v1", "/replicate/v1/v1"))
@pytest.mark.parametrize("rest", ("", "?", "/download?owner=x&expiry=1&signature=y", "/x.1.y/a.png", "?a=b"))
async def test_an_own_file_is_found_by_each_of_its_addresses(files: Files, prefix: str, rest: str) -> None:
    file = await keep(files)
    url = f"https://gw.example{prefix}/files/{file.id}{rest}"
    inputs, found = await resolve(files, {"image": url, "seed": 1}, TAKES, "me", HERE)
    assert inputs == {"image": f"{HERE}/files/{file.id}", "seed": 1}
    assert found == {f"{HERE}/files/{file.id}": file.kept}


async def test_files_are_found_in_lists_and_objects(files: Files) -> None:
    one, two = await keep(files), await keep(files)
    urls = [f"{HERE}/files/{each.id}" for each in (one, two)]
    given = {"images": [*urls, "https://else.example/x.png"], "mask": None, "parts": {"a": {"image": urls[0]}}}
    inputs, found = await resolve(files, given, TAKES, "me", HERE)
    assert inputs == given and found == {urls[0]: one.kept, urls[1]: two.kept}


async def test_text_that_is_an_address_stays_text(files: Files) -> None:
    url = f"{HERE}/files/{(await keep(files)).id}?a=b"
    given = {"prompt": url, "other": url}
    assert await resolve(files, given, TAKES, "me", HERE) == (given, {})
    assert (await resolve(files, given, None, "me", HERE))[1] != {}


async def test_only_whole_addresses_of_this_server_are_its_files(files: Files) -> None:
    id = (await keep(files)).id
    for url in (
        f" {HERE}/files/{id}",
        f"{HERE}/files/{id}x",
        f"{HERE}/files/{id[:-1]}",
        f"{HERE}/file/{id}",
        f"ftp://gw.example/replicate/v1/files/{id}",
        f"https://gw.example/else/replicate/v1/files/{id}",
        f"https://gw.example?/replicate/v1/files/{id}",
        f"https://gw.example/replicate/v1/v1/v1/files/{id}",
        f"https://gw.example/v1/files/{id}",
        f"data:,{HERE}/files/{id}",
    ):
        assert await resolve(files, {"image": url}, TAKES, "me", HERE) == ({"image": url}, {}), url


async def test_a_file_that_is_not_theirs_is_refused_by_the_name_of_its_field(files: Files) -> None:
    mine, yours, gone = await keep(files), await keep(files, "you"), await keep(files)
    await files.remove(gone)
    given = {name: f"{HERE}/files/{file.id}" for name, file in (("image", mine), ("mask", yours))}
    given["images"] = [f"{HERE}/files/{gone.id}"]  # type: ignore[assignment]
    with pytest.raises(HearthError) as refused:
        await resolve(files, given, TAKES, "me", HERE)
    assert refused.value.code == "invalid_inputs"
    assert {each["field"] for each in refused.value.details["invalid_fields"]} == {"input.mask", "input.images"}
    assert "- input.mask: is no file of yours" in refused.value.message and yours.id not in refused.value.message


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def objects(files: Files) -> list[str]:
    """All that is in the store."""
    return [each["path"] for each in obstore.list(files._store).collect()]


async def content(files: Files, kept: Kept) -> bytes:
    return b"".join([piece async for piece in files.read(await files.of(kept))])


async def test_a_large_file_that_stands_in_an_input_is_kept_and_its_address_stands_there(files: Files) -> None:
    one, two = randbytes(3_000_000), randbytes(50_000)
    given = {"image": data_url(one), "images": [data_url(two), data_url(b"small"), data_url(two)]}
    inputs, found = await resolve(files, given, TAKES, "me", HERE)
    image, [first, small, second] = inputs["image"], inputs["images"]
    assert (first, small) == (second, data_url(b"small"))
    assert [await content(files, found[url]) for url in (image, first)] == [one, two]
    assert (found[image].name, found[image].content_type) == ("file.png", "image/png")
    assert len(found) == 2 and len(objects(files)) == 4
    again, files_of_it = await resolve(files, inputs, TAKES, "me", HERE)
    assert (again, files_of_it) == (inputs, found)
    with pytest.raises(HearthError, match="invalid_inputs"):
        await resolve(files, inputs, TAKES, "you", HERE)


async def test_text_that_is_a_data_url_stays_text_and_so_does_what_engines_would_not_look_for(files: Files) -> None:
    url = data_url(randbytes(50_000))
    given = {"prompt": url, "parts": {"a": {"image": url}}, "mask": None}
    assert await resolve(files, given, TAKES, "me", HERE) == (given, {})
    assert objects(files) == []


@pytest.mark.parametrize("field", ("image", "images"))
@pytest.mark.parametrize("broken", ("!!!", "A", "AAAAA", "ü", "A" * 50_000 + "!"))
async def test_a_data_url_that_cannot_be_read_is_refused_by_the_name_of_its_field(
    files: Files, field: str, broken: str
) -> None:
    url = f"data:image/png;base64,{broken}"
    given = {"image": data_url(randbytes(50_000)), "images": [data_url(randbytes(60_000))]}
    given[field] = [url] if field == "images" else url
    with pytest.raises(HearthError) as refused:
        await resolve(files, given, TAKES, "me", HERE)
    assert refused.value.code == "invalid_inputs"
    assert [each["field"] for each in refused.value.details["invalid_fields"]] == [f"input.{field}"]
    assert objects(files) == []


async def test_of_files_that_stand_in_an_input_none_is_kept_where_one_is_too_large(files: Files) -> None:
    given = {"images": [data_url(randbytes(50_000)), data_url(randbytes(80_000))]}
    with pytest.raises(HearthError, match="file_too_large"):
        await resolve(files, given, TAKES, "me", HERE, most=60_000)
    assert objects(files) == []


async def test_data_that_are_no_base64_are_read_whole_wherever_they_are_cut(files: Files) -> None:
    said = ("%41ü" * 300_000)[:-1]
    for shift in range(5):
        url = "data:text/plain," + "x" * shift + said
        inputs, found = await resolve(files, {"image": url}, TAKES, "me", HERE)
        assert await content(files, found[inputs["image"]]) == b"x" * shift + ("Aü" * 300_000)[:-1].encode()


@pytest.mark.parametrize(
    "host",
    ("http://localhost:8000", "http://127.0.0.1:8001", "http://[::1]:8000", "https://gw.example", "http://10.0.0.7"),
)
@pytest.mark.parametrize("address", ("http://127.0.0.1:8000/replicate/v1", "https://gw.example/hearth/replicate/v1"))
async def test_an_own_file_is_found_under_whatever_name_the_server_has(files: Files, host: str, address: str) -> None:
    file = await keep(files)
    given = {"image": f"{host}/replicate/files/{file.id}/download?owner=x"}
    inputs, found = await resolve(files, given, TAKES, "me", address)
    assert inputs == {"image": f"{address}/files/{file.id}"} and found == {f"{address}/files/{file.id}": file.kept}


@pytest.mark.parametrize(
    ("host", "address", "refused"),
    (
        ("http://localhost:8001", "http://127.0.0.1:8000", True),
        ("http://[::1]:8000", "http://gw.localhost", True),
        ("http://gw.example:8080", "https://gw.example", True),
        ("https://GW.example", "https://gw.example", True),
        ("https://other.example", "https://gw.example", False),
        ("https://gw.example.evil", "https://gw.example", False),
        ("http://127.0.0.1", "https://gw.example", False),
        ("http://[", "https://gw.example", False),
    ),
)
async def test_what_another_server_has_is_left_to_be_fetched(
    files: Files, host: str, address: str, refused: bool
) -> None:
    given = {"image": f"{host}/replicate/v1/files/{(await keep(files, 'you')).id}"}
    if not refused:
        assert await resolve(files, given, TAKES, "me", f"{address}/replicate/v1") == (given, {})
        return
    with pytest.raises(HearthError, match=r"input\.image: is no file of yours"):
        await resolve(files, given, TAKES, "me", f"{address}/replicate/v1")


async def test_an_input_of_any_depth_is_looked_at_without_harm(files: Files) -> None:
    deep: Any = f"{HERE}/files/{(await keep(files)).id}"
    for _ in range(10_000):
        deep = [deep]
    assert await resolve(files, {"images": deep}, TAKES, "me", HERE) == ({"images": deep}, {})
    nested: Any = URI
    for _ in range(10_000):
        nested = {"items": nested}
    assert await resolve(files, {"x": "y"}, schema(x=nested), "me", HERE) == ({"x": "y"}, {})
