"""The pages on masking, mistakes and porting say what was run, and notice when it no longer holds.

Covers: `compare/report/pages/masking`, `compare/report/pages/mistakes`, `compare/report/pages/porting`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import MISTAKES
from compare.report.contents import PAGES
from compare.report.page import Page
from compare.report.pages.masking import experiment as masking
from compare.report.pages.mistakes import experiment as mistakes
from compare.report.pages.mistakes.experiment import silent
from compare.report.pages.porting import experiment as porting
from compare.report.pages.porting.experiment.recipe import SETUP as RECIPE_SETUP
from compare.report.pages.porting.experiment.recipes import RECIPES
from compare.report.results import environment, leaves, measured, read_results
from compare.report.snippets import run_snippet
from compare.report.studies.wrong_ports.corpus import load

NAMES = ("masking", "mistakes", "porting")


REPORTS = Path(__file__).parents[4] / "reports"


@cache
def run(name: str) -> Any:
    """Return what a run found: the committed results, which `gatewise report --check` finds again."""
    return read_results(REPORTS / "results.json")[name]["tensorflow"]


def results_of(name: str) -> dict[str, Any]:
    return {name: {"tensorflow": run(name)}, "environment": {"keras": environment("3.15")}}


def page_of(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_passes_and_gives_question_verdict_table_code_and_reproduction(name: str) -> None:
    page, results = page_of(name), results_of(name)
    assert page.passed(results)
    text = page.render(results)
    for part in (page.question, "**Verdict.**", "|--", "```python", "## How to reproduce"):
        assert part in text
    assert "FAILED" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_all_the_code_that_was_run_as_it_was_run(name: str) -> None:
    text = page_of(name).render(results_of(name))
    codes = [value.value for place, value in leaves(run(name)) if re.search(r"(code|keras|pytorch|setup|any mask)$", place)]
    shown = [code for code in codes if isinstance(code, str) and "\n" in code]
    assert len(shown) > 3
    for code in shown:
        assert code.rstrip() in text


@pytest.mark.parametrize("name", NAMES)
def test_one_error_that_is_too_large_fails_the_page(name: str) -> None:
    results = {name: {"tensorflow": {**run(name), "an error": measured(1.0, 1e-5)}}, "environment": {}}
    assert not page_of(name).passed(results)
    assert "FAILED" in page_of(name).render(results)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(name: str) -> None:
    head = 0
    for line in page_of(name).render(results_of(name)).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not head or not cells or cells == head, line
        head = cells


# Masking


def differences(directions: str, way: str) -> dict[str, dict[str, tuple[str, float]]]:
    found = run("masking")["differences"][directions][way]
    return {
        kind: {part: (value.kind, value.value) for part, value in sizes.items()}
        for kind, sizes in found.items()
        if isinstance(sizes, dict)
    }


@pytest.mark.parametrize("directions", ["one", "both"])
def test_what_is_wrong_for_a_mask_is_shown_with_its_size(directions: str) -> None:
    unpacked, packed = differences(directions, "unpacked"), differences(directions, "packed")
    for kind in ("left", "holes"):
        for sizes in (unpacked[kind], packed[kind]):
            assert {kind for kind, _ in sizes.values()} == {"control"}
            assert min(size for _, size in sizes.values()) > 0.05
    assert packed["right"]["state"][0] == packed["right"]["valid"][0] == "measured"
    assert unpacked["right"]["state"][0] == "control"


def test_the_recipe_for_any_mask_gives_what_keras_gives_for_masks_that_the_page_does_not_show() -> None:
    torch = import_module("torch")
    _, names = run_snippet(masking.SETUP)
    run_snippet(masking.RUN_MASKED, names)
    rng = np.random.default_rng(77)
    for _ in range(4):
        x, mask = rng.normal(size=(6, 7, 3)).astype("float32"), rng.random((6, 7)) < rng.random()
        for native, zero_output in ((names["layer"], False), (names["both"], True)):
            output, *states = native(x, mask=mask)
            rnn = names["convert"](native)
            found, (h_n, c_n) = names["run_masked"](rnn, torch.from_numpy(x), torch.from_numpy(mask), zero_output)
            np.testing.assert_allclose(found.detach(), output, atol=1e-5)
            in_keras_order = [state[row].detach() for row in range(len(h_n)) for state in (h_n, c_n)]
            np.testing.assert_allclose(np.array(in_keras_order), np.array(states), atol=1e-5)


def test_bidirectional_overwrites_zero_output_for_mask_by_return_sequences() -> None:
    lines = run("masking")["quirks"]["forced printed"].value.splitlines()
    read = [re.fullmatch(r"return_sequences=(\w+): zero_output_for_mask=(\w+) becomes (\w+)", line) for line in lines]
    assert [match.groups() for match in read if match] == [
        ("True", "True", "True"),
        ("True", "False", "True"),
        ("False", "True", "False"),
        ("False", "False", "False"),
    ]


def test_masks_pass_layers_and_stop_at_lambdas_and_operations() -> None:
    between = run("masking")["flow"]["between"]
    lost = {code for code, one in between.items() if one["mask"].value == "lost"}
    assert {re.sub(r"keras\.(layers\.)?|\(.*", "", code) for code in lost} == {
        "Lambda",
        "Conv1D",
        "ops.multiply",
        "embedded * 2.0",
    }
    assert all(between[code]["cost"].value > 0.1 for code in lost)


def test_nan_at_a_masked_step_reaches_what_the_page_says() -> None:
    nan = {way: (one["output"].value, one["weight gradients"].value) for way, one in run("masking")["nan"].items()}
    assert nan["keras"] == ("finite", "NaN")
    assert nan["unpacked"] == ("NaN", "NaN")
    assert {found for way, found in nan.items() if way not in ("keras", "unpacked")} == {("finite", "finite")}


def test_the_figure_is_drawn_from_the_results(tmp_path: Path) -> None:
    (figure,) = page_of("masking").figures
    figure.draw(results_of("masking"), tmp_path / figure.file)
    assert (tmp_path / figure.file).read_bytes().startswith(b"\x89PNG")


# Mistakes and recipes


def mistakes_found() -> dict[str, Any]:
    return {name: mistake for group in run("mistakes")["groups"].values() for name, mistake in group.items()}


def test_the_page_has_every_mistake_that_diagnose_names_below_its_identifier() -> None:
    text = page_of("mistakes").render(results_of("mistakes"))
    assert set(mistakes_found()) == set(MISTAKES)
    for name, sentence in MISTAKES.items():
        assert f"\n### {name}\n\n{sentence}\n" in text
        assert f"(#{name})" in text


def test_every_mistake_is_far_larger_than_what_is_left_once_it_is_mended() -> None:
    for mistake in (*mistakes_found().values(), *run("mistakes")["silent"].values()):
        assert mistake["right"].passed
        if not isinstance(mistake["least"].value, str):  # NaN, or another shape
            assert mistake["most"].value >= mistake["least"].value > 10 * mistake["right"].allowed


def test_every_mistake_on_the_page_is_named_and_its_diagnosis_is_shown() -> None:
    text = page_of("mistakes").render(results_of("mistakes"))
    for name, mistake in mistakes_found().items():
        assert mistake["named"].value is True
        first = mistake["diagnosis"]["findings"]["0"]
        assert name in (first["mistake"].value, *first["twins"].value)
        assert f"  fix: {first['fix'].value.splitlines()[0]}" in text


def test_every_mistake_next_to_a_recipe_is_larger_than_what_passes() -> None:
    for recipe in run("porting")["recipes"].values():
        assert recipe["error of the mistake"].value > 1000 * recipe["error"].allowed


def test_a_port_whose_mistake_is_not_mended_fails_the_page() -> None:
    entry = next(each for each in load() if each.mistakes == ("gates-permuted",))
    unmended = replace(entry, text=entry.text.replace("[reset, update, candidate]", "[update, reset, candidate]"))
    assert mistakes.run_entry(entry, "gates-permuted")["right"].passed  # type: ignore[union-attr]
    assert not mistakes.run_entry(unmended, "gates-permuted")["right"].passed  # type: ignore[union-attr]


def test_a_mended_line_that_mends_nothing_fails() -> None:
    mistake = silent.SILENT["zero-output-for-mask"]
    assert silent.run_silent(mistake, seeds=range(1))["right"].passed  # type: ignore[union-attr]
    assert not silent.run_silent(replace(mistake, right=mistake.wrong), seeds=range(1))["right"].passed  # type: ignore[union-attr]


def test_a_recipe_that_gives_something_else_or_another_shape_fails() -> None:
    _, names = run_snippet(RECIPE_SETUP)
    recipe = next(one for one in RECIPES if one.name == "time-major")
    for wrong in (recipe.wrong, f"{recipe.pytorch}found = found[:1]\n"):
        assert not porting.run_recipe(replace(recipe, pytorch=wrong), names)["error"].passed  # type: ignore[union-attr]


def test_every_link_within_the_page_on_porting_leads_to_a_heading() -> None:
    text = page_of("porting").render(results_of("porting"))
    headings = {
        re.sub(r"[^\w -]", "", line[3:].lower()).replace(" ", "-") for line in text.splitlines() if line.startswith("## ")
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert len(links) == len(RECIPES)
    assert links <= headings
