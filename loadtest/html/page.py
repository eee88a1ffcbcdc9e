"""Results as one page that needs nothing beside it: what came out, pictures, tables, and how it was run. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from loadtest.compare.results import Results, at_a_time
from loadtest.compare.tables import Table, errors, every, tables, warnings
from loadtest.html.cards import Card, cards
from loadtest.html.plots import plots
from loadtest.markup import as_html, tag
from loadtest.plot.chart import COLORS, Chart
from loadtest.plot.chart import STYLE as CHART_STYLE

_STYLE: Final = Path(__file__).with_name("page.css")


def page(results: Results) -> str:
    """The page; names and codes in it are text, whatever they say."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # It loads nothing and runs nothing.
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", f"{_title(results)} - Hearth load test"),
        tag("style", *(file.read_text(encoding="utf-8") for file in (CHART_STYLE, _STYLE))),
    )
    return as_html(tag("html", head, tag("body", _header(results), _main(results)), lang="en"))


def _title(results: Results) -> str:
    first, *others = results.names
    return f"{first} beside {', '.join(others)}" if others else first


def _header(results: Results) -> Element:
    machine, levels = results.machine, results.levels
    facts = [machine.date, f"{machine.processor}, {machine.cores} cores", results.load]
    if len(results.turns) > 1:
        facts.append(f"{levels[0]:,} to {at_a_time(levels[-1])}" if len(levels) > 1 else at_a_time(levels[0]))
        facts.append(f"{max(turn.round for turn in results.turns)} rounds")
    inside = [tag("p", "Hearth load test", class_="kind"), tag("h1", _title(results))]
    return tag("header", *inside, tag("p", " · ".join(facts), class_="facts"))


def _main(results: Results) -> Element:
    colors = {name: number % COLORS for number, name in enumerate(results.names)}
    failures = errors(results)
    requests = sum(turn.figures.requests for turn in results.turns)
    several = len(results.turns) > 1
    none = tag("p", f"None in {requests:,} requests.")
    return tag(
        "main",
        *_warned(results),
        *_cards(results),
        *(_section(title, _charts(of)) for title, of in plots(results).items()),
        *(_section(each.title, _table(each, colors)) for each in tables(results)),
        _section("Errors", _table(failures, colors) if failures.rows else none),
        _section("How it was run", *_how(results)),
        *([tag("details", tag("summary", "Every run"), _table(every(results), colors))] if several else []),
    )


def _warned(results: Results) -> Iterator[Element]:
    """A box with all that makes the figures say less than they seem to."""
    if told := warnings(results):
        lines = tag("ul", *(tag("li", warning) for warning in told))
        yield tag("section", tag("h2", "Read with care"), lines, class_="warned")


def _cards(results: Results) -> Iterator[Element]:
    title, shown = cards(results)
    yield _section(title, tag("div", *map(_card, shown), class_="cards"))


def _card(card: Card) -> Element:
    parts = (("label", card.label), ("value", card.value), ("note", card.note))
    return tag("div", *(tag("p", text, class_=name) for name, text in parts), class_=f"card {card.verdict}")


def _section(title: str, *inside: Element) -> Element:
    return tag("section", tag("h2", title), *inside)


def _charts(charts: Mapping[str, Chart]) -> Element:
    return tag("div", *(tag("figure", chart.svg()) for chart in charts.values()), class_="charts")


def _table(table: Table, colors: dict[str, int]) -> Element:
    head = tag("tr", *(tag("th", name, scope="col", class_=_kind(name)) for name in table.head))
    rows = [
        tag("tr", *(_cell(name, text, colors) for name, text in zip(table.head, row, strict=True)))
        for row in table.rows
    ]
    whole = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=table.title)


def _cell(column: str, text: str, colors: dict[str, int]) -> Element:
    bullet = [tag("i", class_=f"bullet c{colors[text]}")] if column == "server" and text in colors else []
    return tag("td", *bullet, text, class_=_kind(column))


def _kind(column: str) -> str:
    return "words" if column in ("server", "code") else "figure"


def _how(results: Results) -> Iterator[Element]:
    if results.command:
        yield tag("pre", tag("code", results.command))
    rows = list(results.machine.facts().items())
    for server, packages in results.versions.items():
        if packages:
            rows.append((server, ", ".join(f"{name} {version}" for name, version in packages.items())))
    yield tag("dl", *(part for name, value in rows for part in (tag("dt", name), tag("dd", value))))
