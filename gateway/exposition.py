"""Prometheus text of several sources as one: each family once, whoever it comes from."""

from __future__ import annotations

from collections.abc import Iterable


def merge(texts: Iterable[str], prefix: str) -> str:
    """The families whose names begin with `prefix`, the samples of every source under one head.

    A scraper refuses a text that names a family twice, and two engines of one kind have the same families.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                _, kind, family, *_ = line.split(" ", 3)
                if kind == "HELP":
                    samples.setdefault(family, [])
                head = heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                samples.setdefault(family, []).append(line)
    kept = (family for family in heads if family.startswith(prefix))
    return "".join("\n".join([*heads[family], *samples.get(family, [])]) + "\n" for family in kept)
