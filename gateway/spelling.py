"""How settings are written, and what is said of one that is written wrongly. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic.fields import FieldInfo

from gateway.engine_table import EngineTable
from gateway.suggest import nearest
from gateway.tables import ModelTable

PREFIX: Final = "HEARTH_"

TABLES: Final = ("hardware", "engine", "model")
"""Settings that are tables of the file, and no options."""

_SECRETS: Final = ("redis_url", "admin_key", "key", "replicate_api_token")
"""Never repeated in an error."""


class Given(NamedTuple):
    """Where settings were written: on the command line, in which file, in which variables (in capitals)."""

    overrides: Mapping[str, Any]
    file: Path
    environment: Collection[str]
    customary: Mapping[str, str]
    """Variables that others gave a name to, by the settings that they stand for."""
    fields: Mapping[str, FieldInfo]
    """All settings there are."""


def option(field: str) -> str:
    """A setting as it is written on the command line."""
    return "--model" if field == "models" else f"--{field.replace('_', '-')}"


def variable(field: str) -> str:
    """A setting as it is written in the environment."""
    return PREFIX + field.upper()


def sentence(fault: Mapping[str, Any], given: Given) -> str:
    """What is wrong, where that was written, and what would be right; `fault` is one of pydantic's errors."""
    field = str(fault["loc"][0])
    if field in TABLES and len(fault["loc"]) > 1:
        return _sentence_of_table(fault, given.file)
    if field in TABLES and fault["type"] == "value_error":
        return f"{given.file}: {fault['ctx']['error']}"
    if fault["type"] == "extra_forbidden":
        return f"{given.file}: there is no setting {field!r}{nearest(field, given.fields)}."
    secret = field in _SECRETS
    value = "***" if secret else fault["input"]
    if field in given.overrides:
        where = f"{option(field)} {value}"
    elif variable(field) in given.environment:
        where = f"{variable(field)}={value}"
    elif given.customary.get(field) in given.environment:
        where = f"{given.customary[field]}={value}"
    else:
        where = f"{given.file}: {field} = {value if secret else repr(value)}"
    if fault["type"] == "value_error":
        return f"{where}: {fault['ctx']['error']}"
    return f"{where}: {_told(fault)}. {given.fields[field].description}"


def _sentence_of_table(fault: Mapping[str, Any], path: Path) -> str:
    # A line may have parts, and what is wrong may be one of them.
    named = 1 if fault["loc"][0] == "hardware" else 2
    table, line = [str(part) for part in fault["loc"][:named]], ".".join(map(str, fault["loc"][named:]))
    where = f"[{'.'.join(table)}]"
    if fault["type"] == "extra_forbidden":
        fields = (EngineTable if table[0] == "engine" else ModelTable).model_fields
        return f"{path}: {where} has no line {line!r}{nearest(line, fields)}."
    # A command or a key may be told to nobody.
    given = "***" if table[0] == "engine" else repr(fault["input"])
    return f"{path}: {where} {line} = {given}: {_told(fault).removesuffix('.')}."


def _told(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"
