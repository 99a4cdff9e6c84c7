"""The page on real models says what the long run found in the original files, and notices when it no longer holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compare.report.contents import PAGES
from compare.report.making import RESULTS
from compare.report.pages.real_models.experiment.original_files import commands
from compare.report.results import exact, leaves, measured, read_results
from compare.report.studies.real_models.models import load_all
from compare.report.studies.real_models.replay import TOLERANCE

REPORTS = Path(__file__).parents[5] / "reports"
PAGE = next(page for page in PAGES if page.name == "real-models")


@pytest.fixture
def results() -> dict[str, Any]:
    return read_results(REPORTS / RESULTS)


def layers_of(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for model in results["long"]["real-models"]["models"].values():
        yield from model["layers"].values()


def test_the_page_has_every_layer_s_three_lines_and_the_errors_of_the_right_port_and_of_a_wrong_one(
    results: dict[str, Any],
) -> None:
    text, found = PAGE.render(results), results["long"]["real-models"]["models"]
    assert {(name, layer) for name, model in found.items() for layer in model["layers"]} == {
        (model.name, layer.name) for model in load_all() for layer in model.layers
    }
    for layer in layers_of(results):
        assert len(layer["code"].value.splitlines()) == 3
        assert layer["code"].value.rstrip() in text
        assert layer["ported"].allowed == layer["in its own framework"].allowed == TOLERANCE
        assert layer["wrong"]
        assert min(value.value for value in layer["wrong"].values()) > 1e-2
    for model in load_all():
        assert "\n".join(commands(model)) in text


def test_an_error_that_is_too_large_fails_the_page_and_so_does_a_command(results: dict[str, Any]) -> None:
    next(layers_of(results))["ported"] = measured(3e-5, TOLERANCE)
    assert "**Verdict.** FAILED" in PAGE.render(results)
    fresh = read_results(REPORTS / RESULTS)
    assert PAGE.passed(fresh)
    done = fresh["long"]["real-models"]["models"]["crema"]["commands"]
    done[next(iter(done))] = exact(value=False)
    assert not PAGE.passed(fresh)
    assert "(FAILED)" in PAGE.render(fresh)


def test_without_the_long_run_the_page_says_so_and_has_the_layers_whose_weights_are_kept(results: dict[str, Any]) -> None:
    del results["long"]
    text = PAGE.render(results)
    assert "have not been read" in text
    assert "14 of the layers have their weights in this repository" in text
    assert "open_checkpoint(" not in text
    kept = [value for place, value in leaves(results["real_models"]) if place.endswith("kept weights")]
    assert len(kept) == 14
    assert all(value.passed for value in kept)
