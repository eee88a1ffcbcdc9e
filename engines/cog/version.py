"""What determines a predictor's answers, as one name."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from engines import contents
from engines.cog.source import Recipe

COG: Final = "cog==0.23.1"
"""What runs predictors. Its insides are leant on, so it is this one."""


def environment_of(recipe: Recipe) -> str:
    """The name of its environment: all that is installed into it."""
    if recipe.python is not None:
        return recipe.python
    return _hash(COG, recipe.python_version, sorted(recipe.packages))


def version_of(recipe: Recipe) -> str:
    """The name of the predictor as it is run: its files, its environment, and what its process is told.

    Raises OSError where its files cannot be read.
    """
    told = sorted(recipe.environment.items())
    return _hash(contents.of_folder(recipe.folder), recipe.reference, environment_of(recipe), COG, told)


def _hash(*parts: object) -> str:
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()[:32]
