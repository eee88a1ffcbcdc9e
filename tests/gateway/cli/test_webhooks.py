"""hearth webhooks: who did not hear, and telling them once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.gateway.cli.keyboard import hearth
from tests.gateway.webhooks.office import ADMIN, Shelf, office
from tests.gateway.webhooks.receiving import answers, case, receiving


async def test_who_did_not_hear_is_listed_shown_and_told_again(tmp_path: Path) -> None:
    shelf = Shelf()
    async with receiving() as receiver, office(shelf, tmp_path) as here:
        first, second = (case(receiver.url).ended() for _ in range(2))
        shelf.records = {record.id: record for record in (first, second)}

        async def webhooks(*words: str, status: int = 0) -> str:
            ended, said, complaint = await hearth("webhooks", *words, "--url", here.url, "--key", ADMIN)
            assert (ended, complaint) == (status, "")
            return said

        receiver.answer = answers(500)
        assert await webhooks("replay", first.id, status=1) == f"{first.id}  not heard, status 500\n"
        listed = (await webhooks("list", "--since", "1h")).splitlines()
        assert [line.split()[0] for line in listed] == [first.id, second.id]
        assert listed[0].endswith("/hook  1 try; not heard, status 500") and listed[1].endswith("not called yet")
        receiver.answer = answers(200)
        assert await webhooks("replay", "--failed", "--since", "1h") == "".join(
            f"{record.id}  heard, status 200\n" for record in (first, second)
        )
        assert await webhooks("replay", "--failed") == "every webhook heard of its prediction's end\n"
        shown = (await webhooks("show", first.id)).splitlines()
        assert shown[0].endswith("/hook  for start, output, logs, completed")
        assert [line.split()[2:5] for line in shown[1:]] == [["completed", "try", str(n)] for n in (1, 2)]
        assert json.loads(await webhooks("show", first.id, "--json"))["delivered"]


@pytest.mark.parametrize(
    "words", [[], ["replay"], ["replay", "a", "--failed"], ["show"], ["list", "--since", "soon"], ["forget", "a"]]
)
def test_what_is_not_meant_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["webhooks", *words])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2
    assert capsys.readouterr().err.startswith("hearth webhooks")
