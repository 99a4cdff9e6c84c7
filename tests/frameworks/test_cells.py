"""What the record of a cell says is true, and nothing else repeats it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.parity.cases import draw_weights
from frameworks import DirectionWeights, RecurrentSpec, RecurrentWeights
from frameworks.cells import CELLS, cell_by_gates, cells_by_name, cells_with
from frameworks.reference.forward import run_reference

ROOT = Path(__file__).parents[2]
UNITS = 3
TORCH_OPERATIONS = {
    "frameworks/keras_in_torch/layers/sequences.py": "the operation torch.lstm",
    "frameworks/keras_in_torch/layers/uncompiled.py": "the operation torch.lstm",
}
"""Modules that compare with the name of something else, which happens to be the name of a cell."""


@pytest.mark.parametrize("name", CELLS)
def test_two_biases_are_needed_where_their_sum_cannot_stand_for_them(name: Any) -> None:
    spec = RecurrentSpec(name, 2, UNITS, dtype="float64")
    drawn = draw_weights(spec, seed=0).layers[0][0]
    first, second = np.random.default_rng(1).normal(size=(2, len(spec.gates), UNITS))

    def run(bias: Any, recurrent_bias: Any) -> Any:
        one = DirectionWeights(spec.gates, drawn.kernel, drawn.recurrent_kernel, bias, recurrent_bias)
        return run_reference(RecurrentWeights(((one,),)), spec, np.ones((1, 2, 2))).output

    apart, summed = run(first, second), run(first + second, np.zeros_like(second))
    assert bool(np.abs(apart - summed).max() > 1e-3) is spec.has_two_biases
    assert not RecurrentSpec(name, 2, UNITS, bias=False).has_two_biases


def test_no_second_bias_is_needed_where_the_reset_gate_acts_before_the_product() -> None:
    assert [cell for cell in CELLS if cell in cells_with("reset_after")] == ["gru"]
    assert not RecurrentSpec("gru", 2, UNITS, reset_after=False).has_two_biases


def test_options_that_a_cell_does_not_have_are_those_that_its_spec_refuses() -> None:
    other = {"activation": "relu", "recurrent_activation": "hard_sigmoid", "reset_after": False}
    for cell in CELLS.values():
        for option, value in other.items():
            arguments: dict[str, Any] = {option: value}
            if option in cell.options:
                assert RecurrentSpec(cell.name, 2, UNITS, **arguments).cell_options[option] == value
            else:
                with pytest.raises(ValueError, match=option):
                    RecurrentSpec(cell.name, 2, UNITS, **arguments)


def test_a_cell_is_found_by_its_names_and_by_its_number_of_gates() -> None:
    assert cells_by_name("keras") == {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
    assert cells_by_name("pytorch", "Cell") == {"RNNCell": "rnn", "LSTMCell": "lstm", "GRUCell": "gru"}
    assert [getattr(cell_by_gates(count), "name", None) for count in range(6)] == [None, "rnn", None, "gru", "lstm", None]


def compared(source: str) -> list[str]:
    """Return the names of cells that a module compares something with."""
    compares = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare))
    nodes = (node for one in compares for side in (one.left, *one.comparators) for node in ast.walk(side))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and node.value in tuple(CELLS)]


def test_no_module_compares_the_name_of_a_cell_but_the_pages_that_choose_what_to_show() -> None:
    assert compared('two = spec.bias and spec.cell == "gru"') == ["gru"]
    assert compared('if cell not in ("lstm", "gru"): pass') == ["lstm", "gru"]
    paths = [path for package in ("compare", "frameworks") for path in (ROOT / package).rglob("*.py")]
    names = {path.relative_to(ROOT).as_posix(): compared(path.read_text()) for path in paths}
    found = {name for name, cells in names.items() if cells and not name.startswith("compare/report/pages/")}
    assert found == set(TORCH_OPERATIONS)


def test_the_records_need_no_numpy() -> None:
    code = "import sys, frameworks.cells; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
