"""The reference's gradients equal central differences of its outputs, which share no equation with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.parity.cases import draw_weights
from frameworks import RecurrentOutput, RecurrentSpec, RecurrentWeights
from frameworks.activations import ACTIVATIONS, PRODUCTS
from frameworks.reference.forward import run_reference
from frameworks.reference.gradients import run_reference_gradients
from frameworks.weights import DirectionWeights

Array = npt.NDArray[Any]
BATCH, TIME, INPUT, HIDDEN = 2, 4, 3, 5
STEP = 1e-6
MASK = np.array([[1, 1, 0, 1], [0, 0, 1, 0]], bool)


def two_biases(weights: RecurrentWeights, rng: np.random.Generator) -> RecurrentWeights:
    layers = []
    for directions in weights.layers:
        given = [dict(one.arrays()) for one in directions]
        for arrays in given:
            arrays.setdefault("recurrent_bias", rng.normal(0, 0.4, arrays["bias"].shape))
        layers.append(tuple(DirectionWeights(one.gates, **arrays) for one, arrays in zip(directions, given, strict=True)))
    return RecurrentWeights(tuple(layers))


def writable(weights: RecurrentWeights) -> RecurrentWeights:
    return RecurrentWeights(
        tuple(
            tuple(DirectionWeights(one.gates, **{part: array.copy() for part, array in one.arrays()}) for one in directions)
            for directions in weights.layers
        )
    )


def arrays_of(weights: RecurrentWeights) -> Iterator[tuple[str, Array]]:
    for layer, direction, one in weights:
        for part, array in one.arrays():
            yield f"{part} {layer} {direction}", array


def slope(scalar: Callable[[], float], array: Array, along: Array) -> float:
    """Return the central difference of a scalar that is computed from an array, along a direction."""
    kept = array.copy()
    values = []
    for sign in (1, -1):
        array[...] = kept + sign * STEP * along
        values.append(scalar())
    array[...] = kept
    return (values[0] - values[1]) / (2 * STEP)


def distances(
    spec: RecurrentSpec, mask: Array | None, *, zero_masked: bool, two: bool, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the slope along a random direction of each array, by differences and by the gradient."""
    rng = np.random.default_rng(seed)
    weights = draw_weights(spec, seed)
    weights = writable(two_biases(weights, rng) if two else weights)
    rows = spec.num_layers * spec.num_directions
    inputs = rng.standard_normal((BATCH, TIME, INPUT))
    states = tuple(rng.uniform(-0.9, 0.9, (rows, BATCH, HIDDEN)) for _ in spec.state_names)
    finals = (rng.standard_normal((rows, BATCH, HIDDEN)) for _ in spec.state_names)
    cotangents = RecurrentOutput(rng.standard_normal((BATCH, TIME, spec.num_directions * HIDDEN)), *finals)

    def scalar() -> float:
        result = run_reference(weights, spec, inputs, states, mask, zero_masked=zero_masked)
        pairs = [(getattr(result, name), getattr(cotangents, name)) for name in ("output", "h_n", "c_n")]
        return float(sum((one * other).sum() for one, other in pairs if one is not None))

    found = run_reference_gradients(weights, spec, inputs, states, mask, cotangents, zero_masked=zero_masked)
    gradients: dict[str, Any] = {"inputs": found.inputs, "h": found.h_0, "c": found.c_0, **dict(arrays_of(found.weights))}
    varied = {"inputs": inputs, **dict(zip(spec.state_names, states, strict=True)), **dict(arrays_of(weights))}
    along = {name: rng.standard_normal(array.shape) for name, array in varied.items()}
    return {name: (slope(scalar, varied[name], each), float((gradients[name] * each).sum())) for name, each in along.items()}


@settings(max_examples=40)
@given(
    cell=st.sampled_from(["rnn", "lstm", "gru", "gru before"]),
    layers=st.sampled_from([1, 2]),
    bidirectional=st.booleans(),
    biases=st.sampled_from([0, 1, 2]),
    activations=st.sampled_from([("tanh", "sigmoid"), ("gelu", "softmax"), ("log_softmax", "sigmoid")]),
    masked=st.booleans(),
    zero_masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_gradient_is_the_slope_of_the_reference(
    cell: Any, *, layers: int, bidirectional: bool, biases: int, activations: Any, masked: bool, zero_masked: bool, seed: int
) -> None:
    name, _, before = cell.partition(" ")
    spec = RecurrentSpec(
        name,
        INPUT,
        HIDDEN,
        layers,
        bidirectional,
        biases > 0,
        "float64",
        activation=activations[0],
        recurrent_activation="sigmoid" if name == "rnn" else activations[1],
        reset_after=not before,
    )
    found = distances(spec, MASK if masked else None, zero_masked=zero_masked, two=biases == 2 and not before, seed=seed)
    for name, (expected, actual) in found.items():
        assert actual == pytest.approx(expected, rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_product_of_an_activation_is_its_slope_along_every_direction(name: str) -> None:
    rng = np.random.default_rng(0)
    x, dy, along = (rng.normal(0, 2, (7, 6)) for _ in range(3))
    above, below = (ACTIVATIONS[name](x + sign * STEP * along) for sign in (1, -1))
    expected = (dy * (above - below)).sum(axis=-1) / (2 * STEP)
    np.testing.assert_allclose((PRODUCTS[name](x, dy) * along).sum(axis=-1), expected, rtol=1e-6, atol=1e-7)


def test_inputs_at_masked_steps_affect_no_gradient() -> None:
    spec = RecurrentSpec("gru", INPUT, HIDDEN, bidirectional=True, dtype="float64")
    rng = np.random.default_rng(0)
    inputs = np.where(MASK[..., None], rng.standard_normal((BATCH, TIME, INPUT)), np.nan)
    cotangents = RecurrentOutput(np.ones((BATCH, TIME, 2 * HIDDEN)), np.ones((2, BATCH, HIDDEN)))
    found = run_reference_gradients(draw_weights(spec, 0), spec, inputs, None, MASK, cotangents)
    assert not found.inputs[~MASK].any()
    assert found.inputs[MASK].all()
    assert all(np.isfinite(array).all() for _, array in arrays_of(found.weights))
