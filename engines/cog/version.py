"""What determines a predictor's answers, as one name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from engines import contents
from engines.cog.source import Recipe

COG: Final = "cog==0.23.1"
"""What runs predictors. Its insides are leant on, so it is this one."""


_PLACES: Final = re.compile(r"PATH|LD_LIBRARY_PATH|HOME|TMPDIR|TMP|TEMP|XDG_\w+|\w+_(HOME|CACHE)")
"""Variables that name folders in which programs keep what they like."""


def environment_of(recipe: Recipe) -> str:
    """The name of its environment: all that is installed into it."""
    if recipe.python is not None:
        return recipe.python
    return contents.digest(COG, recipe.python_version, sorted(recipe.packages))


def version_of(recipe: Recipe) -> str:
    """The name of the predictor as it is run: its files, its environment, and what its process is told.

    Raises OSError where its files cannot be read.
    """
    told = sorted((name, _value(name, value)) for name, value in recipe.environment.items())
    return contents.digest(contents.source(recipe.folder), recipe.reference, environment_of(recipe), COG, told)


def _value(name: str, value: str) -> str:
    """What a variable says: of a file or a folder that it names, as its weights, the content."""
    return contents.named(value) if Path(value).is_absolute() and not _PLACES.fullmatch(name) else value
