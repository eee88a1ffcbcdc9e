"""Which strings of an input are this server's own files, or become some: large ones that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files import data_urls, embedded
from gateway.files.file import File, mark
from gateway.files.store import Files

_VERSIONS: Final = "(?:/v1){0,2}"
_DEEP: Final = 32
"""How deep an input may be nested for its strings to be looked at."""
_TOLD: Final = "is no file of yours that is kept here; uploads last 24 hours"


class Found(NamedTuple):
    """A string of an input, by the field that it stands in."""

    field: str
    text: str


class Wrong(NamedTuple):
    """What is wrong with a string of an input."""

    type: str
    field: str
    description: str


async def resolve(
    files: Files,
    input: dict[str, Any],
    schema: dict[str, Any] | None,
    owner: str,
    address: str,
    *,
    most: int = 1 << 30,
) -> tuple[dict[str, Any], dict[str, Kept]]:
    """The input with the addresses of `owner`'s own files in short, and the files by these; `owner` is a namespace.

    With a schema (an OpenAPI document) only in fields that take files; there large `data:` URLs, of files of `most`
    bytes, become files of the owner's too. `address` is what all of our addresses begin with. A server has other names
    than that (`localhost`, another replica's port): under any of them a file of theirs is that file. Raises HearthError
    `invalid_inputs` that names every field whose file is not theirs, gone, or not to be read (on a host that is not
    this one it may be another server's); `file_too_large`.
    """
    fields = input.keys() if schema is None else input.keys() & _file_fields(schema)
    found = await _own(files, _strings(input, fields), address, mark(owner))
    if schema is not None:
        found |= await _embedded(files, _strings(input, input.keys() & _file_inputs(schema)), mark(owner), most)
    short = {text: f"{address}/files/{file.id}" for text, file in found.items()}
    inputs = {name: _put(value, short, 0) if name in fields else value for name, value in input.items()}
    return inputs, {short[text]: file.kept for text, file in found.items()}


async def _own(files: Files, strings: Iterator[Found], address: str, owner: str) -> dict[str, File]:
    """The owner's files among these strings, by the strings."""
    own = _pattern(address)
    known: dict[str, File] = {}
    missing: list[Wrong] = []
    for found in strings:
        if (match := own.fullmatch(found.text)) is None:
            continue
        try:
            known[found.text] = await files.find(owner, match["id"])
        except HearthError as error:
            if error.code != "unknown_file":
                raise
            if _is_here(match["host"], address):
                missing.append(Wrong("unknown_file", found.field, _TOLD))
    if missing:
        raise _refused(missing)
    return known


async def _embedded(files: Files, strings: Iterator[Found], owner: str, most: int) -> dict[str, File]:
    """What is kept of the data URLs among these strings, by the strings; nothing is where one of them is refused."""
    kept: dict[str, File] = {}
    broken: list[Wrong] = []
    try:
        for found in strings:
            data = data_urls.parse(found.text)
            if data is None or found.text in kept:
                continue
            try:
                file = await embedded.keep(files, found.text, data, owner, most)
            except ValueError as error:
                broken.append(Wrong("format", found.field, f"is a data URL that cannot be read. {error}"))
                continue
            if file is not None:
                kept[found.text] = file
        if broken:
            raise _refused(broken)
    except BaseException:
        for file in kept.values():
            with suppress(HearthError):
                await files.remove(file)
        raise
    return kept


def _pattern(address: str) -> re.Pattern[str]:
    """An own file's address on any host and under any of our prefixes, with whatever is signed behind it."""
    root = urlsplit(re.sub(f"{_VERSIONS}/?$", "", address)).path
    file = "(?P<id>[uo][0-9a-v]{32})(?:[/?].*)?"
    return re.compile(
        rf"https?://(?P<host>[^/?#\s]+)(?:{re.escape(root)}|/replicate){_VERSIONS}/files/{file}", re.DOTALL
    )


def _is_here(host: str, address: str) -> bool:
    """Whether a URL's host is that of our own address, whatever the port; loopback has many names."""
    try:
        names = [urlsplit(f"//{host}").hostname or "", urlsplit(address).hostname or ""]
    except ValueError:
        return False
    return names[0] == names[1] or all(map(_is_loopback, names))


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _strings(value: Any, fields: Any) -> Iterator[Found]:
    for name in fields:
        for text in _texts(value[name], 0):
            yield Found(f"input.{name}", text)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEEP and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth + 1)


def _put(value: Any, short: dict[str, str], depth: int) -> Any:
    if isinstance(value, str):
        return short.get(value, value)
    if depth < _DEEP and isinstance(value, dict):
        return {name: _put(each, short, depth + 1) for name, each in value.items()}
    if depth < _DEEP and isinstance(value, list):
        return [_put(each, short, depth + 1) for each in value]
    return value


def _file_fields(schema: dict[str, Any]) -> set[str]:
    """The names of inputs that are files, or have files in them."""
    properties = schema.get("components", {}).get("schemas", {}).get("Input", {}).get("properties", {})
    return {name for name, told in properties.items() if _takes_files(told, 0)}


def _file_inputs(schema: dict[str, Any]) -> set[str]:
    """The names of inputs that are a file or a list of files themselves: in deeper ones engines look for none."""
    properties = schema.get("components", {}).get("schemas", {}).get("Input", {}).get("properties", {})
    told = {name: each for name, each in properties.items() if isinstance(each, dict)}
    return {name for name, each in told.items() if _is_file(each) or _is_file(each.get("items"))}


def _is_file(told: Any) -> bool:
    return isinstance(told, dict) and told.get("type") == "string" and told.get("format") == "uri"


def _takes_files(told: Any, depth: int) -> bool:
    """Whether `format: uri` stands anywhere in it; what it refers to are lists of choices, never files."""
    if not isinstance(told, dict) or depth >= _DEEP:
        return False
    return told.get("format") == "uri" or any(_takes_files(part, depth + 1) for part in _parts(told))


def _parts(told: dict[str, Any]) -> Iterator[Any]:
    """The schemas in a schema."""
    yield from (told[name] for name in ("items", "additionalProperties") if name in told)
    for name in ("anyOf", "oneOf", "allOf"):
        yield from told.get(name, ())
    yield from told.get("properties", {}).values()


def _refused(fields: list[Wrong]) -> HearthError:
    lines = "".join(f"- {wrong.field}: {wrong.description}\n" for wrong in fields)
    told = [wrong._asdict() for wrong in fields]
    return HearthError("invalid_inputs", lines, parameter=fields[0].field, invalid_fields=told)
