"""The pages on training and translation say what was run, with long runs and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compare.report.contents import PAGES
from compare.report.making import RESULTS
from compare.report.page import Page
from compare.report.pages.translation.experiment.sources import code_of, difference
from compare.report.results import measured, read_results

REPORTS = Path(__file__).parents[5] / "reports"


def page_of(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)


@pytest.fixture
def results() -> dict[str, Any]:
    return read_results(REPORTS / RESULTS)


def test_a_page_without_its_long_runs_says_so_and_shows_no_figure_of_them(results: dict[str, Any]) -> None:
    page = page_of("translation")
    whole = page.render(results)
    del results["long"]
    text = page.render(results)
    assert page.passed(results)
    assert "Not all long runs of this page have been made" in text
    assert "translation.png" not in text
    assert not any(figure.covers(results) for figure in page.figures)
    assert "Not all long runs" not in whole
    assert "translation.png" in whole
    assert "The long runs were made by `gatewise report --full` with keras" in whole


def test_a_long_run_that_is_off_fails_its_page(results: dict[str, Any]) -> None:
    page = page_of("translation")
    assert page.passed(results)
    results["long"]["translation-gru-float64"]["parameters"]["encoder.gru.bias"] = measured(1e-3, 1e-9)
    assert not page.passed(results)
    assert "**Verdict.** FAILED" in page.render(results)


def first(x: int) -> int:
    """Add one, and double the result."""
    y = x + 1

    return 2 * y


def second(x: int) -> int:
    y = x + 2

    return 2 * y


def test_two_sources_stand_line_by_line_without_their_docstrings() -> None:
    assert code_of(first) == ["def first(x: int) -> int:", "    y = x + 1", "", "    return 2 * y"]
    assert difference(first, second).splitlines() == [
        "- def first(x: int) -> int:",
        "+ def second(x: int) -> int:",
        "-     y = x + 1",
        "+     y = x + 2",
        "",
        "      return 2 * y",
    ]
