"""Inputs that are drawn for a proof show what a wrong port hides: holes in masks, other sizes, every row of an embedding.

Covers: `compare/models/proving/inputs.py`, `compare/models/proving/uses.py`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from compare.models.proving.inputs import Drawn, draw
from compare.models.proving.uses import use_of
from frameworks.models.graph import Call, Graph, Layer, Tensor

WORDS, X = Tensor("words"), Tensor("x")


def graph(*layers: Layer, read: Tensor = WORDS, shape: Any = (None, None), dtype: str = "int32") -> Graph:
    """Return a chain of layers."""
    calls, last = [], read
    for layer in layers:
        calls.append(Call(layer.name, args=(last,), masks=(None,)))
        last = Tensor(layer.name)
    named = {layer.name: layer for layer in (Layer(read.layer, "InputLayer"), *layers)}
    return Graph("net", "Functional", named, tuple(calls), (read,), (last,), shapes={read: shape}, dtypes={read: dtype})


def embedding(*, mask_zero: bool, rows: int = 7) -> Layer:
    return Layer("embedding", "Embedding", {"input_dim": rows, "output_dim": 3, "mask_zero": mask_zero})


def first(model: Graph, call: int, *, holes: bool) -> Drawn:
    return next(draw(model, call, holes=holes))


def test_the_two_calls_have_other_sizes_unless_the_model_fixes_them() -> None:
    model = graph(embedding(mask_zero=False))
    one, two = (first(model, call, holes=False).arrays[0].shape for call in (0, 1))
    assert one[0] != two[0]
    assert one[1] != two[1]
    fixed = graph(embedding(mask_zero=False), shape=(4, 6))
    assert {first(fixed, call, holes=False).arrays[0].shape for call in (0, 1)} == {(4, 6)}


def test_integers_are_below_the_size_of_an_embedding_also_of_one_behind_other_layers() -> None:
    behind = (Layer("reshape", "Reshape", {"target_shape": (-1,)}), Layer("drop", "Dropout", {"rate": 0.5}))
    inner = replace(graph(*behind, embedding(mask_zero=False, rows=5)), name="net")
    nested = Layer("inner", "Functional", graph=inner)
    wrapped = Layer("each", "TimeDistributed", inner=nested)
    for model in (inner, graph(nested), graph(wrapped, shape=(None, None, 8), dtype="float32")):
        drawn = first(model, 0, holes=False)
        array = drawn.arrays[0]
        assert (array.dtype.name, array.min(), array.max()) == ("int32", 0, 4)
        assert drawn.padding == ""


def test_masks_are_padded_at_the_end_and_then_have_holes() -> None:
    model = graph(embedding(mask_zero=True))
    drawn = first(model, 0, holes=False)
    valid = drawn.arrays[0] != 0
    assert drawn.padding == "end"
    assert valid[0].all()
    assert not (valid[:, 1:] & ~valid[:, :-1]).any(), "no valid step follows a masked one"
    assert len(set(valid.sum(axis=1))) == len(valid)
    drawn = first(model, 1, holes=True)
    valid = drawn.arrays[0] != 0
    assert drawn.padding == "holes"
    assert not valid[0, 0], "a row begins with masked steps"
    assert (valid[1, 1:] & ~valid[1, :-1]).any(), "a row has a hole"
    assert not valid[1, -1], "a row ends with a masked step"
    assert not valid[-1].any(), "a row is wholly masked"
    second = list(islice(draw(model, 1, holes=True), 2))[1].arrays[0] != 0
    assert second.any(axis=1).all(), "a model that cannot have a wholly masked row gets none"


def test_masked_steps_of_numbers_have_the_value_of_the_masking_layer() -> None:
    model = graph(Layer("mask", "Masking", {"mask_value": -1.0}), read=X, shape=(None, None, 3), dtype="float32")
    x = first(model, 1, holes=True).arrays[0]
    masked = (x == -1).all(axis=2)
    assert masked.any()
    assert not masked.all()
    assert not (x[~masked] == -1).any()


def test_an_operation_that_makes_a_mask_pads_the_input_too() -> None:
    compared = Layer("not_equal", "ops.not_equal")
    model = graph(compared)
    model = replace(model, calls=(replace(model.calls[0], args=(WORDS, 3)),))
    use = use_of(model, WORDS)
    assert (use.masks, use.mask_value) == (True, 3.0)


def test_a_boolean_input_is_a_mask() -> None:
    model = graph(Layer("cast", "ops.cast"), dtype="bool")
    mask = first(model, 1, holes=True).arrays[0]
    assert mask.dtype == bool
    assert mask.any()
    assert not mask.all()


def test_several_inputs_have_lengths_of_their_own_at_first_and_common_ones_then() -> None:
    one, two = Tensor("one"), Tensor("two")
    shapes = {one: (None, None, 2), two: (None, None, 2)}
    model = Graph("net", "Functional", {}, (), (one, two), (), shapes=shapes)
    drawn = list(islice(draw(model, 0, holes=False), 3))
    assert drawn[0].arrays[0].shape[1] != drawn[0].arrays[1].shape[1]
    assert drawn[1].arrays[0].shape == drawn[1].arrays[1].shape
    assert drawn[2].arrays[0].shape[1] > drawn[1].arrays[0].shape[1], "and longer ones if these are refused"


def test_the_seed_decides_what_is_drawn() -> None:
    model = graph(embedding(mask_zero=True, rows=50))
    one, same, other = (next(draw(model, 0, holes=False, seed=seed)).arrays[0] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
