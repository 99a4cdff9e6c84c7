"""The report's return-value map is whole, and each of its calls is the call that its row says.

Covers: `compare/report/pages/return_values/experiment`.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
import torch

from compare import ReturnsMap, returns_map
from compare.report.pages.return_values.experiment import grid as returns_grid
from compare.report.pages.return_values.experiment.forms import CELLS, FORMS, Form, Setting
from compare.report.results import all_passed, exact, measured, read_results
from frameworks import GatewiseError, KerasOptions
from frameworks.options import Nesting
from frameworks.spec import CellName, Stack

REPORTS = Path(__file__).parents[5] / "reports"
FLAGS = ("return_sequences", "return_state")
MERGE_MODES = ("concat", "sum", "mul", "ave", None)

# How each combination of nesting, Bidirectional, go_backwards and backward_layer is written in Keras.
ONE_DIRECTION = {
    ("one layer", False): "LSTM(4)",
    ("one layer", True): "LSTM(4, go_backwards=True)",
    ("stacked cells", False): "RNN([LSTMCell(4), LSTMCell(4)])",
    ("stacked cells", True): "RNN([LSTMCell(4), LSTMCell(4)], go_backwards=True)",
    ("two layers", False): "[LSTM(4, return_sequences=True), LSTM(4)]",
    ("two layers", True): "[LSTM(4, go_backwards=True, return_sequences=True), LSTM(4, go_backwards=True)]",
}
TWO_DIRECTIONS = {
    ("one layer", False, False): "Bidirectional(LSTM(4))",
    ("one layer", False, True): "Bidirectional(LSTM(4), backward_layer=LSTM(4, go_backwards=True))",
    ("one layer", True, False): "Bidirectional(LSTM(4, go_backwards=True))",
    ("one layer", True, True): "Bidirectional(LSTM(4, go_backwards=True), backward_layer=LSTM(4))",
    ("stacked cells", False, False): "Bidirectional(RNN([LSTMCell(4), LSTMCell(4)]))",
    ("stacked cells", False, True): (
        "Bidirectional(RNN([LSTMCell(4), LSTMCell(4)]), backward_layer=RNN([LSTMCell(4), LSTMCell(4)], go_backwards=True))"
    ),
    ("stacked cells", True, False): "Bidirectional(RNN([LSTMCell(4), LSTMCell(4)], go_backwards=True))",
    ("stacked cells", True, True): (
        "Bidirectional(RNN([LSTMCell(4), LSTMCell(4)], go_backwards=True), backward_layer=RNN([LSTMCell(4), LSTMCell(4)]))"
    ),
    ("two layers", False, False): "[Bidirectional(LSTM(4, return_sequences=True)), Bidirectional(LSTM(4))]",
    ("two layers", False, True): (
        "[Bidirectional(LSTM(4, return_sequences=True), backward_layer=LSTM(4, go_backwards=True, return_sequences=True)), "
        "Bidirectional(LSTM(4), backward_layer=LSTM(4, go_backwards=True))]"
    ),
    ("two layers", True, False): (
        "[Bidirectional(LSTM(4, go_backwards=True, return_sequences=True)), Bidirectional(LSTM(4, go_backwards=True))]"
    ),
    ("two layers", True, True): (
        "[Bidirectional(LSTM(4, go_backwards=True, return_sequences=True), backward_layer=LSTM(4, return_sequences=True)), "
        "Bidirectional(LSTM(4, go_backwards=True), backward_layer=LSTM(4))]"
    ),
}


def product() -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """Every combination of the options that decide what Keras returns: cell, code, who refuses it, setting."""
    outer = itertools.product(("LSTM", "GRU", "SimpleRNN"), ("one layer", "stacked cells", "two layers"), (False, True))
    for (cell, nesting, backwards), flags in itertools.product(outer, itertools.product((False, True), repeat=2)):
        stacked = "map" if nesting == "two layers" and backwards else ""
        yield cell, ONE_DIRECTION[nesting, backwards], stacked, (*flags, "concat")
        for own, mode in itertools.product((False, True), MERGE_MODES):
            refused = "keras" if backwards and not own else stacked
            yield cell, TWO_DIRECTIONS[nesting, backwards, own], refused, (*flags, mode)


def missing_from(grid: Any) -> list[str]:
    """Name the combinations that were neither run nor refused by whoever refuses them, and the rows with calls too few."""
    expected: dict[tuple[str, str, tuple[Any, ...]], int] = {}
    found = []
    for cell, code, refused, setting in product():
        written = code.replace("LSTM", cell)
        kind = next((name for name, kind in grid[cell].items() if written in _plainly(kind)), None)
        if kind is None or (_plainly(grid[cell][kind])[written] != refused):
            found.append(f"{written}, {setting}")
        elif not refused:
            expected[cell, kind, setting] = expected.get((cell, kind, setting), 0) + 1
    calls = {
        (cell, kind, tuple(row["setting"].value.values())): row["calls"].value
        for cell, kinds in grid.items()
        for kind, entry in kinds.items()
        for row in entry["rows"].values()
    }
    return found + [f"{key}" for key in expected.keys() | calls.keys() if expected.get(key) != calls.get(key)]


def _plainly(kind: Any) -> dict[str, str]:
    """Return the forms that are written without flags, and what refuses them."""
    run = {re.sub(r", (FLAGS|merge_mode=MODE)", "", written): "" for written in kind["written"]}
    return run | {written: why.value["by"] for written, why in kind["refused"].items()}


@pytest.fixture(scope="module")
def grids() -> dict[str, Any]:
    found: dict[str, Any] = read_results(REPORTS / "results.json")["return_values.grid"]
    return found


def test_every_combination_of_the_options_is_in_the_report(grids: dict[str, Any]) -> None:
    assert len(list(product())) == 3 * 3 * 8 * (1 + 2 * 5)
    assert missing_from(grids["torch"]) == []
    assert all_passed(grids["torch"])
    assert all_passed(grids["tensorflow"])


def test_the_experiment_goes_through_every_form_and_setting() -> None:
    written = [form.code("lstm") for form in FORMS]
    assert sorted(written) == sorted([*ONE_DIRECTION.values(), *TWO_DIRECTIONS.values()])
    for form in FORMS:
        modes = MERGE_MODES if form.bidirectional else ("concat",)
        settings = [(setting.return_sequences, setting.return_state, setting.merge_mode) for setting in form.settings()]
        assert set(settings) == set(itertools.product((False, True), (False, True), modes))
        assert len(settings) == 4 * len(modes)


def test_a_combination_that_is_left_out_is_noticed(grids: dict[str, Any]) -> None:
    for kind, what in (
        ("Bidirectional", "written"),
        ("Bidirectional", "refused"),
        ("two layers", "rows"),
        ("one layer", "rows"),
    ):
        broken = copy.deepcopy(grids["torch"])
        broken["GRU"][kind][what].popitem()
        assert missing_from(broken), (kind, what)
    fewer = copy.deepcopy(grids["torch"])
    row = next(iter(fewer["LSTM"]["stacked cells"]["rows"].values()))
    row["calls"] = type(row["calls"])("exact", 1)
    assert len(missing_from(fewer)) == 1


def test_every_kind_of_layer_is_called_on_tensorflow_with_every_pair_of_flags(grids: dict[str, Any]) -> None:
    for cell, kinds in grids["torch"].items():
        for kind, entry in kinds.items():
            plain = {name for name, row in entry["rows"].items() if row["setting"].value["merge_mode"] == "concat"}
            there = grids["tensorflow"][cell][kind]["rows"]
            assert there.keys() == plain, (cell, kind)
            assert all(there[name]["items"] == entry["rows"][name]["items"] for name in plain), (cell, kind)


def test_a_row_has_the_map_of_the_setting_that_it_names(grids: dict[str, Any]) -> None:
    nestings: dict[str, tuple[Nesting, int]] = {
        "one layer": ("layers", 1),
        "stacked cells": ("cells", 2),
        "two layers": ("layers", 2),
    }
    for form, (cell, name) in itertools.product(FORMS, CELLS.items()):
        nesting, layers = nestings[form.nesting]
        for row in grids["torch"][name][form.kind]["rows"].values():
            options = KerasOptions(**row["setting"].value, nesting=nesting)
            mapped = returns_map(Stack(cell, 4, layers, form.bidirectional), options)
            assert [item.pytorch for item in mapped.items] == [item[2] for item in row["items"].value], (form, row["setting"])
            assert [entry.keras for entry in mapped.reverse] == [entry[1] for entry in row["reverse"].value]


def _config(layer: Any) -> Any:
    """Return the arguments that a layer was made with, without the names that Keras numbers."""
    if isinstance(layer, dict):
        return {key: _config(value) for key, value in layer.items() if key not in ("name", "build_config")}
    return [_config(item) for item in layer] if isinstance(layer, list) else layer


BUILT = [
    form
    for form in FORMS
    if form.nesting != "two layers" and not (form.bidirectional and form.go_backwards and not form.backward_layer)
]


@pytest.mark.parametrize("form", BUILT, ids=lambda form: form.code("gru"))
def test_setting_the_flags_of_a_layer_makes_it_the_layer_built_with_them(form: Form) -> None:
    layer = eval(form.code("gru"), vars(keras.layers))  # noqa: S307
    for setting in form.settings():
        flags = "".join(f", {name}=True" for name in FLAGS if getattr(setting, name))
        mode = f", merge_mode={setting.merge_mode!r}" if form.bidirectional else ""
        built = eval(form.code("gru", flags, mode), vars(keras.layers))  # noqa: S307
        returns_grid._set(layer, setting)
        assert _config(layer.get_config()) == _config(built.get_config()), setting


def _run(form: Form, settings: list[Setting], cell: CellName = "lstm") -> Any:
    found: dict[str, Any] = {"written": {}, "refused": {}, "rows": {}}
    with torch.no_grad():
        returns_grid._run_form(form, cell, settings, found)
    return found["rows"]


def test_a_run_holds_what_was_called_against_the_map_and_notices_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    form, settings = (
        Form("one layer", bidirectional=True),
        [Setting(return_sequences=True, return_state=True, merge_mode="sum")],
    )
    assert all_passed(_run(form, settings))

    def wrong(layers: Any) -> ReturnsMap:
        mapped = returns_map(layers)
        return replace(mapped, options=replace(mapped.options, merge_mode="ave"))

    monkeypatch.setattr(returns_grid, "returns_map", wrong)
    (row,) = _run(form, settings).values()
    assert row["error"].value > 0.01


def test_both_sides_are_given_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns_grid, "copy_weights", lambda source, target: None)
    (row,) = _run(Form("stacked cells"), [Setting(return_sequences=False, return_state=False)]).values()
    assert row["error"].value > 0.01


def test_calls_of_one_setting_share_a_row_with_the_largest_errors_if_their_map_is_the_same() -> None:
    (row,) = _run(Form("one layer"), [Setting(return_sequences=True, return_state=False)]).values()
    worse = {**row, "error": measured(0.5, 1e-5)}
    for one, other in ((row, worse), (worse, row), (row, {**row, "error": measured(float("nan"), 1e-5)})):
        joined = returns_grid._joined(one, other)
        assert joined["calls"].value == 2
        assert not joined["error"].passed
        assert joined["error of the way back"] == row["error of the way back"]
    with pytest.raises(GatewiseError, match="forms of one kind must have one map, but differ in theirs"):
        returns_grid._joined(row, {**row, "items": exact([])})


def test_the_index_of_the_map_leads_to_headings_of_the_page() -> None:
    text = (REPORTS / "return-values.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) == 12
    assert set(links) <= anchors
