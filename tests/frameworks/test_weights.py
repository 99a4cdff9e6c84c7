"""Canonical weights: gates by name, biases that act as a sum, and no wrong array accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from frameworks import DirectionWeights, RecurrentSpec, RecurrentWeights
from frameworks.weights import check_weights

INPUT, HIDDEN = 5, 7
SPEC = RecurrentSpec("gru", INPUT, HIDDEN, num_layers=2, bidirectional=True)
GATES = ("update", "reset", "candidate")


def direction(size: int = INPUT, dtype: str = "float32", gates: tuple[str, ...] = GATES) -> DirectionWeights:
    rng = np.random.default_rng(0)
    shapes = ((size, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN,))
    return DirectionWeights(gates, *(rng.standard_normal((len(gates), *shape)).astype(dtype) for shape in shapes))


def stack(**changes: Any) -> RecurrentWeights:
    """Make fitting weights, with one part of layer 1, direction 0 changed."""
    lower, upper = direction(), direction(2 * HIDDEN)
    return RecurrentWeights(((lower, lower), (replace(upper, **changes), upper)))


def test_gates_are_reordered_in_every_part() -> None:
    one = direction()
    turned = one.in_order(("candidate", "update", "reset"))
    for (name, before), (same, after) in zip(one.arrays(), turned.arrays(), strict=True):
        assert name == same
        for old, new in ((0, 1), (1, 2), (2, 0)):
            np.testing.assert_array_equal(after[new], before[old])
    assert one.in_order(GATES) is one


def test_owned_weights_are_copies_in_canonical_order_that_cannot_be_written() -> None:
    given = direction().in_order(("reset", "update", "candidate"))
    ((owned,),) = RecurrentWeights(((given,),)).owned().layers
    assert owned.gates == GATES
    for (_, one), (_, other) in zip(owned.arrays(), direction().arrays(), strict=True):
        np.testing.assert_array_equal(one, other)
        with pytest.raises(ValueError, match="read-only"):
            one[0] = 0
    assert not np.shares_memory(owned.kernel, given.kernel)


def test_the_sum_of_biases_keeps_every_bit_where_the_second_is_zero() -> None:
    bits = np.array([0x80000000, 0x7FC01234, 0x7F800001, 0x7F800000, 0x00000001], np.uint32)
    bias = bits.view(np.float32)[None]
    one = DirectionWeights(("candidate",), np.zeros((1, 1, 5), "f4"), np.zeros((1, 5, 5), "f4"), bias, np.zeros_like(bias))
    total = one.summed_bias()
    assert total is not None
    np.testing.assert_array_equal(total.view(np.uint32)[0], bits)
    # -0.0 is zero too.
    total = replace(one, recurrent_bias=np.full_like(bias, -0.0)).summed_bias()
    assert total is not None
    np.testing.assert_array_equal(total.view(np.uint32)[0], bits)
    assert replace(one, recurrent_bias=None).summed_bias() is bias
    assert replace(one, bias=None, recurrent_bias=None).summed_bias() is None


def test_the_sum_of_biases_is_rounded_once() -> None:
    bias, second = np.array([[1.0, 3.0]], "f4"), np.array([[2.0**-24, -1.0]], "f4")
    total = DirectionWeights(("candidate",), np.zeros((1, 1, 2), "f4"), np.zeros((1, 2, 2), "f4"), bias, second).summed_bias()
    np.testing.assert_array_equal(total, np.array([[1.0, 2.0]], "f4"))


WRONG: dict[str, tuple[RecurrentWeights | object, tuple[str, ...]]] = {
    "another object": ([1, 2], ("weights", "is a list")),
    "one direction alone": (RecurrentWeights(direction()), ("the layers of weights", "a DirectionWeights", "layers[layer]")),  # type: ignore[arg-type]
    "directions without a layer": (RecurrentWeights((direction(),) * 2), ("directions of layer 0", "a DirectionWeights")),  # type: ignore[arg-type]
    "gates without names": (stack(gates=None), ("gates of layer 1, direction 0", "are None")),
    "gates by position": (stack(gates=(0, 1, 2)), ("gates of layer 1, direction 0", "are 0, 1, 2")),
    "one layer": (RecurrentWeights(stack().layers[:1]), ("weights", "2 layers", "1")),
    "one direction": (RecurrentWeights((stack().layers[0], stack().layers[1][:1])), ("layer 1", "2 directions", "1")),
    "no direction": (RecurrentWeights((stack().layers[0], ("kernel", "bias"))), ("layer 1, direction 0", "is a str")),  # type: ignore[arg-type]
    "an LSTM's": (
        RecurrentWeights((stack().layers[0], (direction(2 * HIDDEN, gates=("input", "forget", "candidate", "output")),) * 2)),
        ("gates of layer 1, direction 0", "input, forget, candidate, output", "cell='lstm'"),
    ),
    "a gate twice": (stack(gates=("update", "update", "candidate")), ("layer 1, direction 0", "update, update, candidate")),
    "no bias": (stack(bias=None, recurrent_bias=None), ("layer 1, direction 0", "a bias", "has none")),
    "one bias": (stack(recurrent_bias=None), ("recurrent_bias of layer 1, direction 0", "is None")),
    "kernel turned": (
        stack(kernel=direction(2 * HIDDEN).kernel.transpose(0, 2, 1)),
        ("kernel of layer 1, direction 0", "(3 gates, 14, 7)", "(3, 7, 14)"),
    ),
    "kernel of the layer below": (stack(kernel=direction().kernel), ("kernel of layer 1", "(3 gates, 14, 7)", "(3, 5, 7)")),
    "bias of one row": (stack(bias=np.zeros((1, HIDDEN), "f4")), ("bias of layer 1", "(3 gates, 7)", "(1, 7)")),
    "float64": (
        stack(recurrent_kernel=direction(dtype="float64").recurrent_kernel),
        ("recurrent_kernel", "float32", "float64"),
    ),
    "big-endian": (stack(bias=direction(dtype=">f4").bias), ("bias of layer 1", "float32", ">f4")),
    "a list": (stack(bias=[[0.0] * HIDDEN] * 3), ("bias of layer 1", "NumPy array", "list")),
}


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_do_not_fit_are_refused(name: str, refused: Callable[..., Any]) -> None:
    weights, said = WRONG[name]
    check_weights(stack(), SPEC)
    with refused(*said):
        check_weights(weights, SPEC)  # type: ignore[arg-type]


def test_an_extra_bias_is_refused(refused: Callable[..., Any]) -> None:
    without = RecurrentSpec("gru", INPUT, HIDDEN, bias=False)
    with refused("layer 0, direction 0", "no bias", "has one"):
        check_weights(RecurrentWeights(((direction(),),)), without)
    before = RecurrentSpec("gru", INPUT, HIDDEN, reset_after=False)
    with refused("recurrent_bias of layer 0, direction 0", "is an array"):
        check_weights(RecurrentWeights(((direction(),),)), before)
    with refused("recurrent_bias"):
        check_weights(RecurrentWeights(((replace(direction(), bias=None),),)), without)
