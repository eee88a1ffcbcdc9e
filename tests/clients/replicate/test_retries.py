"""Calls that a client repeats by itself, because it did not hear the answer."""

from __future__ import annotations

from tests.clients.replicate.conftest import Hearth, speaking
from tests.clients.replicate.line import line
from tests.clients.replicate.speaker import Speaker


@speaking("python 2.0.0b4", "node 1.4.0")
def test_a_run_whose_line_is_cut_is_one_prediction(client: Speaker, hearth: Hearth, token: str) -> None:
    with line(cuts=2) as cut:
        cut.lead_to(hearth.url)
        output = client.sending(base=f"{cut.url}/replicate/v1")("run", model="hearth/slow", input={"prompt": "hello"})
        assert len(output) == 30
        assert cut.connections >= 3
    listed = hearth.ask("GET", "/replicate/v1/predictions", token).json()["results"]
    assert [each["status"] for each in listed] == ["succeeded"]
