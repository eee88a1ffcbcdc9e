"""What is known of a machine, and of what is installed on it."""

from __future__ import annotations

import sys

import pytest

from loadtest.machine import Machine, called, installed


def test_this_machine_says_what_it_is() -> None:
    here = Machine.here()
    assert here.cores > 0 and here.gigabytes > 0 and here.date.endswith("UTC")
    assert here.facts()["Python"] == here.python


def test_what_is_not_known_is_not_said() -> None:
    assert "Hearth's commit" not in Machine("now", 1, "", 1.0, "", "3", "").facts()


def test_versions_are_those_of_the_environment_that_a_server_runs_in() -> None:
    assert installed(sys.executable)["starlette"]
    assert installed("/nowhere/bin/server") == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/x/loadtest/__main__.py", "run", "--model", "a b"], "python -m loadtest run --model 'a b'"),
        (["/x/bin/hearth", "loadtest", "run"], "hearth loadtest run"),
    ],
)
def test_a_command_can_be_given_again(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", words)
    assert called() == said
