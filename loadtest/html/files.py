"""Leaving results as files: a page, and its pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.compare.results import Results
from loadtest.html.page import page
from loadtest.html.plots import plots
from loadtest.plot.chart import picture


def add(parser: argparse.ArgumentParser) -> None:
    """Add what says where."""
    parser.add_argument("--html", type=Path, help="write a page with plots and tables to this file")
    parser.add_argument("--svg", type=Path, metavar="FOLDER", help="write the plots into this folder, a file for each")


def write(results: Results, arguments: argparse.Namespace) -> None:
    """Write what was asked for."""
    if arguments.html:
        arguments.html.write_text(page(results), encoding="utf-8")
    if arguments.svg:
        arguments.svg.mkdir(parents=True, exist_ok=True)
        for charts in plots(results).values():
            for name, chart in charts.items():
                (arguments.svg / f"{name}.svg").write_text(picture([chart]), encoding="utf-8")
