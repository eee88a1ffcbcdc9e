"""The page shows what was measured, needs nothing, and trusts no name."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from loadtest.compare.results import Results, Turn
from loadtest.html.cards import cards
from loadtest.html.page import page
from loadtest.html.plots import plots
from tests.loadtest.measured import alone, beside, figures, results, unmeasured


class Parts(HTMLParser):
    """Which elements a page has, with which attributes, and all of its text."""

    def __init__(self, told: Results) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page(told))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_comparison_has_ratios_plots_tables_and_how_it_was_run() -> None:
    told = Parts(beside(["hearth", "vllm"]))
    assert "hearth beside vllm" in told.text and "hearth in ratio to vllm, 8 streams at a time" in told.text
    assert told.tags.count("svg") == 9 + 3 + 2
    assert "python -m loadtest compare" in told.text and "abc1234" in told.text
    assert "None in 120 requests." in told.text and "Read with care" not in told.text


def test_a_page_needs_nothing_beside_it_and_runs_nothing() -> None:
    told = Parts(beside(["a", "b"]))
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(told.tags)
    assert not {name for name, _ in told.attributes if name in ("src", "href", "srcset") or name.startswith("on")}
    assert "url(" not in page(beside(["a", "b"])) and "@import" not in page(beside(["a", "b"]))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "a&b"])
def test_a_name_is_text_wherever_it_stands(name: str) -> None:
    """A server's, an error code's, a package's."""
    told = Parts(
        results(
            Turn(name, 1, 1, figures(errors={name: 1})),
            Turn("b", 1, 1, figures(client=0.9)),
            versions={name: {name: name}},
        )
    )
    assert not {"script", "img", "b"} & set(told.tags)
    assert f"{name} beside b" in told.text and f"{name} {name}" in told.text


def test_one_run_is_shown_by_its_figures() -> None:
    told = Parts(alone(figures()))
    assert "What came out" in told.text and "8 at a time" in told.text and "beside" not in told.text
    assert told.tags.count("svg") == 3 + 2


def test_a_run_without_any_answer_is_still_a_page() -> None:
    told = Parts(alone(unmeasured()))
    assert "nan" not in page(alone(unmeasured())).lower()
    assert "Errors" in told.text


def test_warnings_come_first_and_errors_by_code() -> None:
    told = Parts(results(Turn("a", 1, 1, figures(errors={"cut_off": 3})), Turn("b", 1, 1, figures(client=0.9))))
    assert told.text.index("Read with care") < told.text.index("in ratio to")
    assert "cut_off" in told.text and "None in" not in told.text


def test_a_ratio_is_better_or_worse_only_where_all_rounds_agree() -> None:
    told = results(
        Turn("a", 1, 1, figures(200, first_s=0.2)),
        Turn("b", 1, 1, figures(100, first_s=0.1)),
        Turn("a", 1, 2, figures(300, first_s=0.2)),
        Turn("b", 1, 2, figures(100, first_s=0.1)),
    )
    title, (speed, first, _, gap, _) = cards(told)
    assert title == "a in ratio to b, 1 stream at a time"
    assert (speed.value, speed.verdict, speed.note) == ("2.50×", "better", "2.00 to 3.00 over the rounds")
    assert (first.value, first.verdict) == ("2.00×", "worse")
    assert gap.verdict == ""


def test_a_point_on_a_curve_is_the_median_with_its_spread() -> None:
    turns = [Turn("a", level, number, figures(number * 100)) for level in (1, 8) for number in (1, 2, 3)]
    [*_, curves] = plots(results(*turns))["By streams at a time"]["throughput"].series
    assert [tuple(place) for place in curves.points] == [(1, 200, 100, 300), (8, 200, 100, 300)]


def test_a_percentile_that_so_few_cannot_tell_is_not_drawn() -> None:
    """Ten requests have no p99."""
    charts = plots(beside(["a", "b"], rounds=1))["Distributions, 8 streams at a time"]
    assert max(place.x for place in charts["first-token-distribution"].series[0].points) == pytest.approx(90)
