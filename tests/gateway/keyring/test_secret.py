"""A key's secret."""

from __future__ import annotations

import pytest

from gateway.keyring import secret


def test_a_fresh_secret_is_like_no_other_and_known_as_one_of_ours() -> None:
    made = {secret.fresh() for _ in range(100)}
    assert len(made) == len({secret.digest(each) for each in made}) == 100
    assert all(secret.is_one(each) and each.startswith("hearth_") for each in made)


@pytest.mark.parametrize("text", ["", "hearth_", "sk-" + "a" * 43, "hearth_" + "a" * 42, "hearth_" + "ä" * 43])
def test_what_is_of_another_shape_is_none_of_ours(text: str) -> None:
    assert not secret.is_one(text)


def test_a_hint_gives_four_letters_away() -> None:
    one = secret.fresh()
    assert one.endswith(secret.hint(one)) and len(secret.hint(one)) == 4
