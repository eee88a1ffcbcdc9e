"""`hearth loadtest` is the load test, under the name by which it was called."""

from __future__ import annotations

import pytest

from gateway import __main__ as command


def test_its_help_is_the_load_tests_own(capsys: pytest.CaptureFixture[str]) -> None:
    """With every bench, as a part of hearth."""
    with pytest.raises(SystemExit) as ended:
        command.main(["loadtest", "--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert told.startswith("usage: hearth loadtest") and "compare" in told


def test_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the load test's own sentence and status."""
    assert command.main("loadtest run --url http://10.0.0.1:8000".split()) == 2
    assert "is not this machine" in capsys.readouterr().err
