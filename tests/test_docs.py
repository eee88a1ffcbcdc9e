"""What the documents say of the code, compared with the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from prometheus_client import Counter
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.routing import BaseRoute, Route, WebSocketRoute

from gateway.app import build
from gateway.cli.serve import GROUPS
from gateway.engine_table import EngineTable
from gateway.errors import TABLE
from gateway.metrics import Metrics
from gateway.settings import Settings, load
from gateway.tables import ModelTable

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.glob("*.md")),
    *sorted(ROOT.glob("clients/*/README.md")),
]


def section(page: Path, title: str) -> str:
    """The text under a heading, up to the next one of its rank or higher."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no {title!r}"
    return found[2]


LINES = re.compile(r"^\| line \| without it \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
"""An account of the lines of a table of the file."""


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row whose first cell is in backticks."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_setting_is_documented_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(LINES.sub("", (DOCS / "settings.md").read_text()))}
    assert set(told) == set(Settings.model_fields)
    written = tomllib.loads("\n".join(f"{name} = {default}" for name, default in told.items()))
    defaults = Settings.model_construct().model_dump(mode="json")
    # TOML writes "" for none.
    assert written == {name: "" if value is None else value for name, value in defaults.items()}


def test_every_line_of_a_table_is_documented_as_it_is() -> None:
    accounts = LINES.findall((DOCS / "settings.md").read_text())
    tables: list[type[BaseModel]] = [ModelTable, EngineTable]
    for table, account in zip(tables, accounts, strict=True):
        assert list(rows(account)) == [
            [f"`{name}`", without(field), field.description] for name, field in table.model_fields.items()
        ]


def without(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    return str(field.default) if field.default not in (None, ()) else "none"


def test_settings_are_grouped_alike_in_the_document_and_the_help() -> None:
    for title, names in GROUPS.items():
        told = section(DOCS / "settings.md", title[0].upper() + title[1:])
        assert [row[0].strip("`") for row in rows(told)] == list(names)


def test_the_example_file_holds_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = ROOT / "hearth.example.toml"
    assert set(tomllib.loads(example.read_text())) == set(Settings.model_fields)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HEARTH_{name.upper()}", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    assert load({}, example).model_dump() == Settings.model_construct().model_dump()


ALIASES = re.compile(r"/replicate/(v1/v1/|v1/)?")
"""Replicate's routes are at three places, for clients with other habits."""


def test_every_route_is_documented_and_every_documented_route_is_there() -> None:
    told = set(re.findall(r"`([A-Z]+ /[^`]*)`", section(DOCS / "http.md", "Routes")))
    app = build(load({"models": ("demo=scripted:",)}))
    assert told == {ALIASES.sub("/replicate/v1/", said) for route in app.routes for said in spell(route)}


def spell(route: BaseRoute) -> Iterator[str]:
    """A route as the document writes it. HEAD goes with GET, and a WebSocket begins as one."""
    assert isinstance(route, Route | WebSocketRoute)
    path = route.path.replace(":path}", "}")
    methods = (route.methods or set()) - {"HEAD"} if isinstance(route, Route) else {"GET"}
    return (f"{method} {path}" for method in methods)


def test_every_error_code_is_documented_as_it_is() -> None:
    told = list(rows(section(DOCS / "http.md", "Error codes")))
    assert told == [
        [f"`{code}`", str(row.status), str(row.close), "yes" if row.may_retry else "no", row.sentence]
        for code, row in TABLE.items()
    ]


def test_codes_in_the_text_are_codes_of_the_table() -> None:
    named = re.findall(r"`(\d{3}) ([a-z_]+)`", (DOCS / "http.md").read_text())
    assert named and not [(status, code) for status, code in named if TABLE[code].status != int(status)]


def test_every_metric_is_documented_with_its_kind_and_labels() -> None:
    told = {row[0].strip("`"): (row[1], row[2]) for row in rows((DOCS / "metrics.md").read_text())}
    counted = Metrics()
    parts = [*vars(counted).values(), *vars(counted.engines).values()]
    metrics = [each for each in parts if hasattr(each, "_labelnames")]
    assert told == {
        metric._name: (metric._type, ", ".join(f"`{label}`" for label in metric._labelnames)) for metric in metrics
    }
    assert any(isinstance(metric, Counter) for metric in metrics)


def test_every_make_target_in_the_text_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:`|^ *)make ([a-z]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page.name


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    told = {row[0].strip("`") for row in rows(section(DOCS / "architecture.md", "Dependencies"))}
    assert told == {Requirement(line).name for line in asked}


def test_every_module_stands_in_the_picture() -> None:
    picture = section(DOCS / "architecture.md", "The tree")
    for package in ("gateway", "engines", "cache", "loadtest"):
        for file in sorted((ROOT / package).iterdir()):
            if file.name != "__init__.py" and (file.suffix == ".py" or (file / "__init__.py").is_file()):
                assert re.search(rf"\b{re.escape(file.name)}\b", picture), (
                    f"{package}/{file.name} is not in the picture"
                )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            if anchor:
                titles = re.findall(r"^#+ (.+)", file.read_text(), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
