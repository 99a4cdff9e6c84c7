"""The reference recurrences equal the same equations written out number by number.

Every gate has weights and biases of its own, no recurrent kernel is symmetric: no two can be exchanged unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from frameworks import DirectionWeights, RecurrentSpec, RecurrentWeights
from frameworks.reference.forward import run_reference

Array = npt.NDArray[np.float64]
Floats = Sequence[float]

X = ((0.5, -1.0, 2.0), (1.5, 0.25, -0.75))
"""Two time steps of three features."""
H0, C0 = (0.3, -0.6), (-0.4, 0.9)

GATES = {"rnn": ("candidate",), "lstm": ("input", "forget", "candidate", "output"), "gru": ("update", "reset", "candidate")}
KERNEL = {
    "input": ((0.1, -0.2), (0.3, 0.4), (-0.5, 0.6)),
    "forget": ((0.7, 0.8), (-0.9, 0.15), (0.25, -0.35)),
    "candidate": ((-0.45, 0.55), (0.65, -0.75), (0.85, 0.95)),
    "output": ((0.12, -0.23), (0.34, 0.45), (-0.56, 0.67)),
    "update": ((0.11, 0.22), (-0.33, 0.44), (0.55, -0.66)),
    "reset": ((-0.77, 0.88), (0.99, -0.13), (0.24, 0.35)),
}
RECURRENT = {
    "input": ((0.21, -0.32), (0.43, 0.54)),
    "forget": ((-0.65, 0.76), (0.87, -0.98)),
    "candidate": ((0.19, 0.28), (-0.37, 0.46)),
    "output": ((-0.55, 0.64), (0.73, 0.82)),
    "update": ((0.91, -0.14), (0.26, 0.38)),
    "reset": ((-0.41, 0.52), (-0.63, 0.74)),
}
BIAS = {
    "input": (0.05, -0.15),
    "forget": (0.35, 0.45),
    "candidate": (-0.55, 0.65),
    "output": (0.75, -0.85),
    "update": (-0.07, 0.17),
    "reset": (0.27, -0.37),
}
RECURRENT_BIAS = {
    "input": (0.02, 0.04),
    "forget": (-0.06, 0.08),
    "candidate": (0.31, -0.42),
    "output": (0.14, 0.16),
    "update": (0.53, -0.64),
    "reset": (-0.18, 0.29),
}


def sigmoid(number: float) -> float:
    return 1 / (1 + math.exp(-number))


def inner(vector: Floats, matrix: Sequence[Floats], unit: int) -> float:
    return sum(value * row[unit] for value, row in zip(vector, matrix, strict=True))


def step_rnn(x: Floats, h: Floats, activation: Callable[[float], float], *, two: bool) -> list[float]:
    return [
        activation(
            inner(x, KERNEL["candidate"], unit)
            + inner(h, RECURRENT["candidate"], unit)
            + BIAS["candidate"][unit]
            + (RECURRENT_BIAS["candidate"][unit] if two else 0)
        )
        for unit in (0, 1)
    ]


def step_lstm(x: Floats, h: Floats, c: Floats, *, two: bool) -> tuple[list[float], list[float]]:
    new_h, new_c = [], []
    for unit in (0, 1):
        before = {
            gate: inner(x, KERNEL[gate], unit)
            + inner(h, RECURRENT[gate], unit)
            + BIAS[gate][unit]
            + (RECURRENT_BIAS[gate][unit] if two else 0)
            for gate in GATES["lstm"]
        }
        cell = sigmoid(before["forget"]) * c[unit] + sigmoid(before["input"]) * math.tanh(before["candidate"])
        new_c.append(cell)
        new_h.append(sigmoid(before["output"]) * math.tanh(cell))
    return new_h, new_c


def step_gru(x: Floats, h: Floats, *, reset_after: bool) -> list[float]:
    def gate(name: str, unit: int) -> float:
        second = RECURRENT_BIAS[name][unit] if reset_after else 0
        return sigmoid(inner(x, KERNEL[name], unit) + inner(h, RECURRENT[name], unit) + BIAS[name][unit] + second)

    reset = [gate("reset", unit) for unit in (0, 1)]
    new = []
    for unit in (0, 1):
        if reset_after:
            recurrent = reset[unit] * (inner(h, RECURRENT["candidate"], unit) + RECURRENT_BIAS["candidate"][unit])
        else:
            recurrent = inner([r * value for r, value in zip(reset, h, strict=True)], RECURRENT["candidate"], unit)
        candidate = math.tanh(inner(x, KERNEL["candidate"], unit) + BIAS["candidate"][unit] + recurrent)
        update = gate("update", unit)
        new.append(update * h[unit] + (1 - update) * candidate)
    return new


def weights(cell: str, *, two: bool, order: tuple[str, ...] | None = None) -> DirectionWeights:
    gates = order or GATES[cell]
    kernel, recurrent, bias, second = (
        np.array([table[gate] for gate in gates]) for table in (KERNEL, RECURRENT, BIAS, RECURRENT_BIAS)
    )
    return DirectionWeights(gates, kernel, recurrent, bias, second if two else None)


def spec(cell: Any, **options: Any) -> RecurrentSpec:
    return RecurrentSpec(cell, 3, 2, dtype="float64", **options)


def run(spec: RecurrentSpec, one: DirectionWeights, h: Floats = H0, c: Floats = C0) -> Any:
    states = tuple(np.array([[values]]) for values in ((h, c) if spec.cell == "lstm" else (h,)))
    return run_reference(RecurrentWeights(((one,),)), spec, np.array([X]), states)


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_simple_rnn(activation: str, *, two: bool) -> None:
    function = {"tanh": math.tanh, "relu": lambda number: max(number, 0.0), "linear": lambda number: number}[activation]
    first = step_rnn(X[0], H0, function, two=two)
    second = step_rnn(X[1], first, function, two=two)
    found = run(spec("rnn", activation=activation), weights("rnn", two=two))
    np.testing.assert_allclose(found.output, [[first, second]], rtol=1e-14)
    np.testing.assert_allclose(found.h_n, [[second]], rtol=1e-14)
    assert found.c_n is None


@pytest.mark.parametrize("two", [False, True])
def test_lstm(*, two: bool) -> None:
    first, cell = step_lstm(X[0], H0, C0, two=two)
    second, cell = step_lstm(X[1], first, cell, two=two)
    found = run(spec("lstm"), weights("lstm", two=two))
    np.testing.assert_allclose(found.output, [[first, second]], rtol=1e-14)
    np.testing.assert_allclose(found.h_n, [[second]], rtol=1e-14)
    np.testing.assert_allclose(found.c_n, [[cell]], rtol=1e-14)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru(*, reset_after: bool) -> None:
    first = step_gru(X[0], H0, reset_after=reset_after)
    second = step_gru(X[1], first, reset_after=reset_after)
    found = run(spec("gru", reset_after=reset_after), weights("gru", two=reset_after))
    np.testing.assert_allclose(found.output, [[first, second]], rtol=1e-14)
    np.testing.assert_allclose(found.h_n, [[second]], rtol=1e-14)


def test_one_unit_of_an_lstm_in_plain_numbers() -> None:
    """With these weights the value of each gate is known: 0.5, 0.731..., tanh 1, 0.880..."""
    one = DirectionWeights(GATES["lstm"], np.zeros((4, 1, 1)), np.zeros((4, 1, 1)), np.array([[0.0], [1.0], [1.0], [2.0]]))
    found = run_reference(
        RecurrentWeights(((one,),)),
        RecurrentSpec("lstm", 1, 1, dtype="float64"),
        np.zeros((1, 1, 1)),
        (np.zeros((1, 1, 1)), np.full((1, 1, 1), 10.0)),
    )
    cell = 0.7310585786300049 * 10 + 0.5 * 0.7615941559557649
    assert found.c_n is not None
    assert found.h_n is not None
    assert found.c_n.item() == pytest.approx(cell, rel=1e-15)
    assert found.h_n.item() == pytest.approx(0.8807970779778823 * math.tanh(cell), rel=1e-15)


def test_gates_are_paired_by_name_not_by_place() -> None:
    order = ("output", "candidate", "input", "forget")
    expected, found = run(spec("lstm"), weights("lstm", two=False)), run(spec("lstm"), weights("lstm", two=False, order=order))
    np.testing.assert_array_equal(found.output, expected.output)


def test_the_backward_direction_reads_from_the_end_and_returns_input_order() -> None:
    ahead, back = weights("gru", two=True), weights("gru", two=True)
    back = DirectionWeights(back.gates, -back.kernel, back.recurrent_kernel, back.bias, back.recurrent_bias)
    states = np.array([[H0], [C0]])
    both = run_reference(RecurrentWeights(((ahead, back),)), spec("gru", bidirectional=True), np.array([X]), states)
    turned = np.array([X])[:, ::-1]
    alone = run_reference(RecurrentWeights(((back,),)), spec("gru"), turned, states[1:])
    first = step_gru(X[0], H0, reset_after=True)
    assert both.output is not None
    assert both.h_n is not None
    assert alone.output is not None
    assert alone.h_n is not None
    np.testing.assert_allclose(both.output[0, 0, :2], first, rtol=1e-14)
    np.testing.assert_array_equal(both.output[..., 2:], alone.output[:, ::-1])
    np.testing.assert_array_equal(both.h_n[1], alone.h_n[0])
    np.testing.assert_array_equal(both.h_n[1, 0], both.output[0, 0, 2:])
    assert not np.allclose(both.output[0, -1, 2:], both.h_n[1, 0])


def test_each_layer_reads_the_whole_output_of_the_one_below() -> None:
    lower = (weights("rnn", two=False), weights("rnn", two=True))
    upper_kernel = np.arange(8.0).reshape(1, 4, 2) / 10
    upper = tuple(
        DirectionWeights(one.gates, upper_kernel * sign, one.recurrent_kernel, one.bias)
        for one, sign in zip(lower, (1, -1), strict=True)
    )
    stack = spec("rnn", num_layers=2, bidirectional=True)
    found = run_reference(RecurrentWeights((lower, upper)), stack, np.array([X]))
    below = run_reference(RecurrentWeights((lower,)), spec("rnn", bidirectional=True), np.array([X]))
    assert below.output is not None
    assert below.h_n is not None
    above = run_reference(
        RecurrentWeights((upper,)), RecurrentSpec("rnn", 4, 2, bidirectional=True, dtype="float64"), below.output
    )
    assert above.h_n is not None
    np.testing.assert_array_equal(found.output, above.output)
    np.testing.assert_array_equal(found.h_n, np.concatenate([below.h_n, above.h_n]))


def test_a_masked_step_keeps_the_states_and_gives_zeros() -> None:
    inputs = np.array([[X[0], (9.0, 9.0, 9.0), X[1]], [(9.0, 9.0, 9.0), X[0], X[1]]])
    mask = np.array([[True, False, True], [False, True, True]])
    first, cell = step_lstm(X[0], H0, C0, two=False)
    second, cell = step_lstm(X[1], first, cell, two=False)
    states = (np.array([[H0, H0]]), np.array([[C0, C0]]))
    found: Any = run_reference(RecurrentWeights(((weights("lstm", two=False),),)), spec("lstm"), inputs, states, mask)
    np.testing.assert_allclose(found.output, [[first, (0, 0), second], [(0, 0), first, second]], rtol=1e-14)
    np.testing.assert_allclose(found.h_n, [[second, second]], rtol=1e-14)
    np.testing.assert_allclose(found.c_n, [[cell, cell]], rtol=1e-14)


def test_float32_arguments_are_computed_in_float64() -> None:
    one = weights("gru", two=True)
    narrow = DirectionWeights(one.gates, *(array.astype("float32") for _, array in one.arrays()))
    wide = DirectionWeights(one.gates, *(array.astype("float64") for _, array in narrow.arrays()))
    x = np.array([X], "float32")
    found = run_reference(RecurrentWeights(((narrow,),)), RecurrentSpec("gru", 3, 2), x)
    expected = run_reference(RecurrentWeights(((wide,),)), spec("gru"), x.astype("float64"))
    assert found.output is not None
    assert found.output.dtype == np.float64
    np.testing.assert_array_equal(found.output, expected.output)


def test_nothing_overflows_where_the_result_does_not() -> None:
    one = DirectionWeights(("candidate",), np.full((1, 3, 2), 1e200), np.zeros((1, 2, 2)))
    found = run_reference(RecurrentWeights(((one,),)), spec("rnn", bias=False), np.full((1, 1, 3), -1.0))
    np.testing.assert_array_equal(found.output, [[[-1.0, -1.0]]])


def test_arguments_that_do_not_fit_are_refused(refused: Callable[..., Any]) -> None:
    fitting = RecurrentWeights(((weights("gru", two=True),),))
    with refused("inputs", "(1, 2, 4)"):
        run_reference(fitting, spec("gru"), np.zeros((1, 2, 4)))
    with refused("gates of layer 0, direction 0", "update, reset, candidate"):
        run_reference(fitting, spec("lstm"), np.array([X]))
    with refused("h_0", "(1, 1, 3)"):
        run_reference(fitting, spec("gru"), np.array([X]), np.zeros((1, 1, 3)))
