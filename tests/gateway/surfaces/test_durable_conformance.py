"""The public conformance suite for servers that speak Durable Streams, on a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.nodejs import run_node
from tests.serving import process

APPLICABLE = 250
"""In 0.3.6: all but those on forks, which Hearth has not, and on subscriptions, which the suite leaves out itself."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_every_applicable_test_of_the_public_suite_passes(tmp_path: Path, redis_url: str, store: str) -> None:
    report = tmp_path / "report.json"
    words = ["--redis-url", redis_url] if store == "redis" else []
    # As a user starts it: another event loop, and another process, than the test's.
    with process("--model", "demo=scripted:", "--durable-writes", "--keep-alive-s", "1", *words) as served:
        await run_node(
            "node_modules/vitest/vitest.mjs",
            "run",
            "durable.test.mjs",
            "--testNamePattern=^(?!.*Fork - )",
            "--testTimeout=30000",
            "--reporter=default",
            "--reporter=json",
            f"--outputFile.json={report}",
            timeout=240,
            DURABLE_URL=f"{served.url}/v1/streams",
        )
    told = json.loads(report.read_text())
    left_out = [
        test["fullName"]
        for file in told["testResults"]
        for test in file["assertionResults"]
        if test["status"] != "passed"
    ]
    assert (told["numFailedTests"], told["numPassedTests"]) == (0, APPLICABLE)
    assert all("Fork - " in name or "subscription" in name.lower() for name in left_out), left_out
