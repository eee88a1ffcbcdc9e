"""Prometheus samples with one more label, so that those of several engines stay apart. Pure."""

from __future__ import annotations

import re
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+(?: \d+)?)")
_HEAD: Final = re.compile(r"# (HELP|TYPE) \S+ .+")


def labelled(text: str, label: str, value: str) -> str:
    """The text with that label on every sample; what is no Prometheus text is dropped."""
    told = value.replace("\\", r"\\").replace('"', r"\"")
    lines = []
    for line in text.splitlines():
        if _HEAD.fullmatch(line):
            lines.append(line)
        elif sample := _SAMPLE.fullmatch(line):
            name, labels, number = sample.groups()
            lines.append(f'{name}{{{label}="{told}"{"," if labels else ""}{labels or ""}}} {number}')
    return "".join(f"{line}\n" for line in lines)
