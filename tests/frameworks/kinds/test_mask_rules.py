"""Every kind treats masks as its record states: each is called on masked inputs, in both generations.

Covers: `frameworks/kinds/keras`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from frameworks.kinds import KERAS, Masks, kind_of
from tests.frameworks.kinds.layer_cases import CASES, made

LIBRARIES = ("keras", "tf_keras")
RNG = np.random.default_rng(7)


def version_of(library: str) -> tuple[int, ...]:
    return tuple(int(part) for part in import_module(library).__version__.split(".")[:2])


def masked(library: str, shape: tuple[Any, ...], mask: Any) -> Any:
    """Return a tensor that carries a mask, or none; axes of any size have size 3."""
    import tensorflow as tf

    sizes = [2, *(3 if size is None else size for size in shape[1:])]
    tensor = tf.constant(RNG.integers(1, 3, sizes).astype("float32"))
    if mask is not None:
        tensor._keras_mask = tf.constant(mask) if library == "tf_keras" else import_module("keras").ops.convert_to_tensor(mask)
    return tensor


def random_mask(shape: tuple[Any, ...]) -> Any:
    steps = 1 if len(shape) < 2 else 3 if shape[1] is None else shape[1]
    mask = RNG.random((2, steps)) < 0.5
    mask[:, 0] = True
    return mask


def carried(results: Any) -> list[Any]:
    """Return the mask of each result as an array, or None."""
    each = results if isinstance(results, (list, tuple)) else [results]
    masks = [getattr(one, "_keras_mask", None) for one in each]
    return [None if mask is None else np.asarray(mask) for mask in masks]


def called(layer: Any, tensors: list[Any]) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return carried(layer(tensors if len(tensors) > 1 else tensors[0]))


def same(one: Any, other: Any) -> bool:
    return (one is None) == (other is None) and (one is None or np.array_equal(one, other))


def contradictions(library: str, rules: dict[str, Masks]) -> set[str]:
    """Return the kinds of one input whose results carry another mask than the rules say."""
    wrong = set()
    for name, options, shapes in {each[0]: each for each in reversed(CASES) if len(each[2]) == 1}.values():
        layer = made(import_module(library), name, options)
        if layer is None:
            continue
        # These compute with the mask, which must have the shape of their input.
        shape = (None, 4) if name in ("Softmax", "GroupNormalization") else shapes[0]
        mask = random_mask(shape)
        rule = rules.get(name, kind_of(name).masks_at(version_of(library)))
        kept = rule is Masks.KEEP or (rule is Masks.SEQUENCES and bool(options.get("return_sequences")))
        first, *states = called(layer, [masked(library, shape, mask)])
        if rule is not Masks.MAKE and (not same(first, mask if kept else None) or any(each is not None for each in states)):
            wrong.add(name)
        if called(layer, [masked(library, shape, None)])[0] is not None and rule is not Masks.MAKE:
            wrong.add(name)
    return wrong


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_mask_of_one_input_goes_where_the_table_says(library: str) -> None:
    assert contradictions(library, {}) == set()
    mistaken = {"Flatten": Masks.KEEP, "LSTM": Masks.KEEP, "Dense": Masks.DROP, "Dropout": Masks.SEQUENCES}
    assert contradictions(library, mistaken) == mistaken.keys()


@pytest.mark.parametrize("library", LIBRARIES)
def test_sequences_keep_their_mask_and_states_have_none(library: str) -> None:
    layers, shape = import_module(library).layers, (None, 5, 4)
    mask = random_mask(shape)
    for flags in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}):
        inner = layers.GRU(3, **flags)
        for layer in (inner, layers.RNN(layers.GRUCell(3), **flags), layers.Bidirectional(layers.GRU(3, **flags))):
            assert kind_of(type(layer).__name__).masks_at(version_of(library)) is Masks.SEQUENCES
            first, *states = called(layer, [masked(library, shape, mask)])
            assert same(first, mask if flags else None)
            assert all(each is None for each in states)


@pytest.mark.parametrize("library", LIBRARIES)
def test_masks_are_made_of_tokens_and_of_constant_steps(library: str) -> None:
    layers = import_module(library).layers
    tokens, steps = np.array([[1, 0, 2]]), np.array([[[1.0, 2.0], [5.0, 5.0], [0.0, 5.0]]], "float32")
    assert same(called(layers.Embedding(3, 2, mask_zero=True), [tokens])[0], tokens != 0)
    assert called(layers.Embedding(3, 2), [tokens])[0] is None
    assert same(called(layers.Masking(5.0), [steps])[0], np.array([[True, False, True]]))
    assert {kind.name for kind in KERAS if kind.masks is Masks.MAKE} == {"Embedding", "Masking", "ReversibleEmbedding"}


MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


@pytest.mark.parametrize("library", LIBRARIES)
def test_masks_of_merged_tensors_are_joined_by_and_or_by_or(library: str) -> None:
    shape, version = (None, 5, 4), version_of(library)
    one, other = random_mask(shape), random_mask(shape)
    both = one | other if version >= (3,) else one & other
    assert not same(one | other, one & other)
    for name in MERGING:
        rule = kind_of(name).masks_at(version)
        layer = getattr(import_module(library).layers, name)()
        assert rule is (Masks.ALL if version >= (3,) else Masks.ANY)
        assert same(called(layer, [masked(library, shape, one), masked(library, shape, other)])[0], both)
        for masks in ((one, None), (None, one)):
            mask = called(layer, [masked(library, shape, each) for each in masks])[0]
            assert same(mask, one if rule is Masks.ANY else None)
        assert called(layer, [masked(library, shape, None), masked(library, shape, None)])[0] is None


@pytest.mark.parametrize("library", LIBRARIES)
def test_concatenated_masks_are_joined_along_time_and_merged_along_features(library: str) -> None:
    layers, shape, version = import_module(library).layers, (None, 5, 4), version_of(library)
    one, other = random_mask(shape), random_mask(shape)
    unmasked = np.ones_like(one)
    features = (np.logical_or if version >= (3,) else np.logical_and)(one, other)
    assert kind_of("Concatenate").masks_at(version) is Masks.ANY
    pair = [masked(library, shape, one), masked(library, shape, other)]
    assert same(called(layers.Concatenate(axis=-1), pair)[0], features)
    assert same(called(layers.Concatenate(axis=1), pair)[0], np.concatenate([one, other], axis=1))
    pair = [masked(library, shape, one), masked(library, shape, None)]
    assert same(called(layers.Concatenate(axis=-1), pair)[0], unmasked if version >= (3,) else one)
    assert called(layers.Dot(axes=2), pair)[0] is None
    assert called(layers.Concatenate(), [masked(library, shape, None)] * 2)[0] is None


@pytest.mark.parametrize("library", LIBRARIES)
def test_attention_keeps_the_mask_of_its_query(library: str) -> None:
    layers, version = import_module(library).layers, version_of(library)
    query, value = random_mask((None, 5, 4)), random_mask((None, 7, 4))
    for masks in ((query, value), (query, None), (None, value)):
        pair = [masked(library, (None, steps, 4), mask) for steps, mask in zip((5, 7), masks, strict=True)]
        for name in ("Attention", "AdditiveAttention"):
            assert kind_of(name).masks_at(version) is Masks.KEEP
            assert same(called(getattr(layers, name)(), pair)[0], masks[0])
        assert kind_of("MultiHeadAttention").masks_at(version) is Masks.KEEP
        assert same(carried(layers.MultiHeadAttention(2, 3)(*pair))[0], masks[0])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_layer_at_each_step_keeps_the_mask_of_time(library: str) -> None:
    layers, shape = import_module(library).layers, (None, 5, 4)
    mask = random_mask(shape)
    assert kind_of("TimeDistributed").masks_at(version_of(library)) is Masks.KEEP
    assert same(called(layers.TimeDistributed(layers.Dense(2)), [masked(library, shape, mask)])[0], mask)


@pytest.mark.parametrize("library", LIBRARIES)
def test_operations_between_layers_drop_masks(library: str) -> None:
    package, shape = import_module(library), (3, 4)
    masking = package.layers.Masking()(package.Input(shape))
    assert getattr(masking, "_keras_mask", None) is not None
    for result in (masking * 2, masking[:, 1:], masking + masking, -masking):
        assert getattr(result, "_keras_mask", None) is None
