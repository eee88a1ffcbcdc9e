"""A form with one file in it, taken apart as it arrives: of the file nothing is held, and of the rest only little."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import HearthError

_MOST_FIELDS: Final = 64
_MOST_BYTES: Final = 256 << 10
"""Of all fields together."""
_KEYS: Final = re.compile(r"metadata((?:\[[^\[\]]*\])+)")


class Form:
    """What clients of Replicate upload: a file part `content`, and beside it fields, which some send as files too.

    Whatever it raises is HearthError `invalid_request`.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind.lower() != b"multipart/form-data" or b"boundary" not in options:
            raise _wrong("The body must be multipart/form-data with a file part `content`.")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.content_type: str | None = None
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._part: str | None = None
        """The field that is coming; None while it is the file."""
        self._held = bytearray()
        self._size = 0
        self._pieces: list[bytes] = []
        self._begun = False
        self._whole = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _wrong(f"The form cannot be read: {error}.") from None

    def feed(self, data: bytes) -> list[bytes]:
        """The bytes of the file that are in these of the body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _wrong(f"The form cannot be read: {error}.") from None
        pieces, self._pieces = self._pieces, []
        return pieces

    def close(self) -> None:
        """The body has ended: it must have been whole, and have had a file."""
        if not self._whole:
            raise _wrong("The form ends too soon.")
        if not self._begun:
            raise _wrong("The form has no file part `content`.")

    def metadata(self) -> dict[str, Any]:
        """What was written beside the file: one field of JSON, or a field for each of its keys."""
        if "metadata" in self.fields:
            try:
                told = orjson.loads(self.fields["metadata"])
            except orjson.JSONDecodeError as error:
                raise _wrong(f"`metadata` is not valid JSON: {error}.", "metadata") from None
            if told is not None and not isinstance(told, dict):
                raise _wrong("`metadata` must be a JSON object.", "metadata")
            return told or {}
        gathered: dict[str, Any] = {}
        for name, value in self.fields.items():
            if (match := _KEYS.fullmatch(name)) is not None:
                _put(gathered, match[1][1:-1].split("]["), value)
        return gathered

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._held.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode(errors="replace")
        if name != "content":
            self._part = name
            if len(self.fields) >= _MOST_FIELDS:
                raise _wrong(f"A form may have {_MOST_FIELDS} fields at most.")
            return
        if self._begun:
            raise _wrong("A form may have one file part `content`.", "content")
        self._begun, self._part = True, None
        self.filename = options.get(b"filename", b"").decode(errors="replace") or None
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1") or None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            self._pieces.append(data[start:end])
            return
        self._size += end - start
        if self._size > _MOST_BYTES:
            raise _wrong(f"The fields of a form may have {_MOST_BYTES} bytes at most.")
        self._held += data[start:end]

    def _on_part_end(self) -> None:
        if self._part is not None:
            self.fields[self._part] = self._held.decode(errors="replace")

    def _on_end(self) -> None:
        self._whole = True


def _put(into: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        inner = into.setdefault(key, {})
        if not isinstance(inner, dict):
            raise _wrong("A key of `metadata` is given twice.", "metadata")
        into = inner
    into[keys[-1]] = value


def _wrong(message: str, parameter: str | None = None) -> HearthError:
    return HearthError("invalid_request", message, parameter=parameter)
