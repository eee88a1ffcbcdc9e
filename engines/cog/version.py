"""What determines a predictor's answers, as one name."""

from __future__ import annotations

from typing import Final

from engines import contents
from engines.cog.source import Recipe

COG: Final = "cog==0.23.1"
"""What runs predictors. Its insides are leant on, so it is this one."""


def environment_of(recipe: Recipe) -> str:
    """The name of its environment: all that is installed into it."""
    if recipe.python is not None:
        return recipe.python
    return contents.digest(COG, recipe.python_version, sorted(recipe.packages))


def version_of(recipe: Recipe) -> str:
    """The name of the predictor as it is run: its files, its environment, and what its process is told.

    Raises OSError where its files cannot be read.
    """
    told = sorted(recipe.environment.items())
    return contents.digest(contents.folder(recipe.folder), recipe.reference, environment_of(recipe), COG, told)
