"""The grid covers what it promises, and its weights hide no mistake."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from compare.parity.cases import GRID, draw_weights
from frameworks import RecurrentSpec
from frameworks.weights import check_weights

FIELDS = ("cell", "activation", "num_layers", "bidirectional", "bias", "dtype")


def test_every_value_of_every_option_meets_every_cell() -> None:
    values = {"num_layers": (1, 2), "bidirectional": (False, True), "bias": (False, True), "dtype": ("float32", "float64")}
    cells = {(case.spec.cell, case.spec.activation) for case in GRID}
    assert cells == {("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")}
    for cell, (name, choices) in product(cells, values.items()):
        found = {getattr(case.spec, name) for case in GRID if (case.spec.cell, case.spec.activation) == cell}
        assert found == set(choices)


def test_every_cell_is_carried_over_from_both_frameworks() -> None:
    assert {(case.spec.cell, case.origin) for case in GRID} == set(product(("rnn", "lstm", "gru"), ("keras", "pytorch")))


def test_names_are_unique_and_input_and_hidden_sizes_differ() -> None:
    assert len({case.name for case in GRID}) == len(GRID)
    assert all(case.spec.input_size != case.spec.hidden_size for case in GRID)


@pytest.mark.parametrize("case", GRID, ids=lambda case: case.name)
def test_weights_fit_their_spec_and_hold_no_zero(case: object) -> None:
    spec: RecurrentSpec = case.spec  # type: ignore[attr-defined]
    weights = draw_weights(spec, seed=0)
    check_weights(weights, spec)
    for _, _, one in weights:
        assert all(np.all(array != 0) for _, array in one.arrays())
