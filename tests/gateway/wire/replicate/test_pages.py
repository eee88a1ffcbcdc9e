"""Pages, and the cursors that lead from one to the next and back."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.predictions.base import Page, Query
from gateway.predictions.record import Record
from gateway.wire.replicate.pages import of_list, of_records, query

URL = "https://gw.example/replicate/v1/predictions"


def record(number: int) -> Record:
    return Record(
        id=f"{number:026d}",
        generation="gen_00",
        owner="o",
        key="k",
        model="a/b",
        version="v",
        created=1_763_629_200.123456 + number,
        address="https://gw.example/replicate/v1",
    )


def cursor_of(*place: Any) -> str:
    """What somebody might make up."""
    return urlsafe_b64encode(msgspec.msgpack.encode(place)).decode()


def asked(url: str) -> dict[str, str]:
    """The parameters of an address that a page holds."""
    assert url.startswith(f"{URL}?")
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_without_parameters_the_newest_hundred_are_wanted() -> None:
    assert query({}) == query({"cursor": "", "source": "", "wat": "x"}) == Query(limit=100)


def test_filters_are_read() -> None:
    told = query(
        {"created_after": "2025-11-20T09:00:00Z", "created_before": "2025-11-20 10:00:00+01:00", "source": "web"}
    )
    assert (told.created_after, told.created_before, told.source) == (1763629200.0, 1763629200.0, "web")
    assert query({"created_after": "2025-11-20"}).created_after == 1763596800.0
    assert query({"created_after": "2025-11-20T10:00:00 01:00"}).created_after == 1763629200.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cursor", "x"),
        ("cursor", "é"),
        ("cursor", "AAAA"),
        ("cursor", "kg"),
        ("cursor", cursor_of(math.nan, "a", False)),
        ("cursor", cursor_of(math.inf, "a", False)),
        ("cursor", cursor_of(-1.0, "a", False)),
        ("cursor", cursor_of(1.0, "a b", False)),
        ("cursor", cursor_of(1.0, "a" * 99, False)),
        ("cursor", cursor_of(1.0, "a", 7)),
        ("cursor", cursor_of(1.0)),
        ("created_after", "yesterday"),
        ("created_before", "99999-01-01"),
        ("source", "elsewhere"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(HearthError) as caught:
        query({name: value})
    assert (caught.value.code, caught.value.parameter) == ("invalid_request", name)


def test_the_cursors_lead_to_what_is_older_and_newer() -> None:
    records = [record(number) for number in (3, 2, 1)]
    told = of_records(Page(records, newer=True, older=True), Query(), URL, [each.id for each in records])
    assert told["results"] == [each.id for each in records]
    older, newer = query(asked(told["next"])), query(asked(told["previous"]))
    assert (older.before, older.backwards) == ((records[-1].created, records[-1].id), False)
    assert (newer.before, newer.backwards) == ((records[0].created, records[0].id), True)


@pytest.mark.parametrize("page", [Page([record(1)], newer=False, older=False), Page([], newer=True, older=True)])
def test_where_there_is_nothing_no_cursor_leads(page: Page) -> None:
    told = of_records(page, Query(), URL, [])
    assert (told["previous"], told["next"]) == (None, None)


def test_the_filters_go_along() -> None:
    wanted = {"created_after": "2025-11-20T09:00:00.250000Z", "source": "api"}
    told = of_records(Page([record(1)], newer=False, older=True), query(wanted), URL, [])
    assert query(asked(told["next"])) == query(wanted)._replace(before=(record(1).created, record(1).id))


@given(st.integers(0, 450), st.integers(1, 120))
def test_a_whole_list_is_read_to_its_end_and_back(length: int, limit: int) -> None:
    items = list(range(length))

    def page(asked: dict[str, str]) -> dict[str, Any]:
        return of_list(items, URL, asked, limit)

    told = page({"sort_by": "x"})
    pages = [told]
    while told["next"]:
        assert asked(told["next"])["sort_by"] == "x"
        pages.append(told := page(asked(told["next"])))
    assert [each for page in pages for each in page["results"]] == items
    assert pages[0]["previous"] is None
    for before, after in pairwise(pages):
        assert page(asked(after["previous"]))["results"] == before["results"]


@given(st.text(max_size=40))
def test_no_cursor_breaks_a_list(cursor: str) -> None:
    try:
        told = of_list([1, 2, 3], URL, {"cursor": cursor})
    except HearthError as error:
        assert (error.code, error.parameter) == ("invalid_request", "cursor")
    else:
        assert told["next"] is None and set(told["results"]) <= {1, 2, 3}
