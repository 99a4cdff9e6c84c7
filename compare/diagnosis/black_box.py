"""Weights of a port that cannot be observed: the right ones with one known mistake, to be simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from compare.diagnosis import bias_origins as biases
from compare.diagnosis.origins import MATRICES, Origin, Right, make
from compare.diagnosis.structures import STRUCTURES
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
Wrong = tuple[str, str, RecurrentWeights]
"""A mistake, what was found in words, and the weights with it."""


def wrong_weights(right: Right) -> Iterator[Wrong]:
    """Yield weights with one mistake each, the likeliest first; the same mistake in all layers and directions."""
    yield from _permuted(right)
    yield from _structured(right)
    yield from _biased(right)
    yield from _moved(right)
    for name, kind in (("float16", np.float16),):
        yield "rounded", f"rounded to {name}", _each(right, lambda array, k=kind: array.astype(k).astype(array.dtype))  # type: ignore[misc]


def _each(right: Right, change: Callable[[Array], Array]) -> RecurrentWeights:
    def changed(one: DirectionWeights) -> DirectionWeights:
        return replace(one, **{part: change(array) for part, array in one.arrays()})

    return RecurrentWeights(tuple(tuple(changed(one) for one in row) for row in right.weights.layers))


def _permuted(right: Right) -> Iterator[Wrong]:
    gates = right.spec.gates
    own, other = right.source.gates[right.spec.cell], right.target.gates[right.spec.cell]
    first = [gates.index(own[other.index(gate)]) for gate in gates]
    orders = dict.fromkeys([tuple(first), *permutations(range(len(gates)))])
    for order in orders:
        if order != tuple(range(len(gates))):
            shown = f"in the place of {', '.join(gates)}: {', '.join(gates[gate] for gate in order)}"
            yield "gates-permuted", shown, _each(right, lambda array, o=order: array[list(o)])  # type: ignore[misc]


def _structured(right: Right) -> Iterator[Wrong]:
    for number, structure in enumerate(STRUCTURES):
        for parts in [(part,) for part in MATRICES] + [MATRICES]:
            if not all(part in structure.mistakes for part in parts):
                continue
            layers = []
            for layer, directions in enumerate(right.weights.layers):
                row = []
                for direction, one in enumerate(directions):
                    arrays = {part: _array(right, number, (layer, direction), part) for part in parts}
                    if any(array is None or array.shape != getattr(one, part).shape for part, array in arrays.items()):
                        break
                    row.append(replace(one, **arrays))
                layers.append(tuple(row))
            if all(len(row) == right.spec.num_directions for row in layers):
                yield structure.mistakes[parts[0]], "", RecurrentWeights(tuple(layers))


def _array(right: Right, number: int, place: tuple[int, int], part: str) -> Array | None:
    array = right.array(place, part)
    if array.shape[1] != array.shape[2] and number in (0, 2):
        return None
    return make(Origin(place, number), right, place, part)


def _biased(right: Right) -> Iterator[Wrong]:
    variants = [("", name) for name in biases.OFFSETS] if "forget" in right.spec.gates else []
    changes = [(number, "") for number in range(len(biases.CHANGES))]
    order = tuple(range(len(right.spec.gates)))
    for change, offset in [*changes, *((None, name) for _, name in variants)]:
        layers = []
        for layer, directions in enumerate(right.weights.layers):
            row = []
            for direction, one in enumerate(directions):
                bias, second = biases.make(biases.BiasOrigin((layer, direction), change, offset, order), right)
                two = right.spec.has_two_biases
                row.append(replace(one, bias=bias if two else bias + second, recurrent_bias=second if two else None))
            layers.append(tuple(row))
        if right.spec.bias:
            mistake = offset if change is None else biases.CHANGES[change].mistake
            yield mistake, "", RecurrentWeights(tuple(layers))


def _moved(right: Right) -> Iterator[Wrong]:
    layers = right.weights.layers
    if right.spec.bidirectional:
        yield "directions-swapped", "", RecurrentWeights(tuple(row[::-1] for row in layers))
        yield "direction-repeated", "", RecurrentWeights(tuple((row[0], row[0]) for row in layers))
        yield "direction-repeated", "", RecurrentWeights(tuple((row[1], row[1]) for row in layers))
    for one, other in combinations(range(len(layers)), 2):
        shapes = [layers[layer][0].kernel.shape for layer in (one, other)]
        if shapes[0] == shapes[1]:
            swapped = list(layers)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            yield "layers-swapped", f"layers {one} and {other}", RecurrentWeights(tuple(swapped))
