"""Biases for layers that were built without: lent for a call, so that a missing bias can be undone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from frameworks.adapter import Adapter
from frameworks.copying import fill
from frameworks.layouts import KERAS, PYTORCH, Layout
from frameworks.weights import DirectionWeights

Array = npt.NDArray[np.floating]
Place = tuple[int, int]


@contextmanager
def lent_biases(wanted: Iterable[tuple[Adapter, Place, DirectionWeights]]) -> Iterator[None]:
    """Give layers without biases those of some weights, and take them away afterwards.

    Args:
        wanted: an adapter, a layer and direction in it, and the weights that it is to have.
    """
    by_adapter: dict[int, tuple[Adapter, dict[Place, DirectionWeights]]] = {}
    for adapter, place, weights in wanted:
        if not adapter.spec.bias and weights.bias is not None:
            by_adapter.setdefault(id(adapter), (adapter, {}))[1][place] = weights
    with ExitStack() as stack:
        for adapter, every in by_adapter.values():
            stack.enter_context((_to_torch if adapter.framework == "pytorch" else _to_keras)(adapter, every))
        yield


def _stored(adapter: Adapter, place: Place, weights: DirectionWeights, layout: Layout) -> dict[str, Array]:
    """Return the biases of a direction as its framework stores them, by name."""
    spec = replace(adapter.spec, bias=True)
    names = {layout.one_bias.name, *(each.name for each in layout.two_biases)}
    shapes = layout.shapes(spec, place[0])
    arrays = {name: np.zeros(shape, spec.dtype) for name, shape in shapes.items() if name in names}
    zeros = np.zeros_like(weights.bias) if layout.has_two_biases(spec) else None
    given = weights if weights.recurrent_bias is not None else replace(weights, recurrent_bias=zeros)
    fill(arrays, layout, spec, place[0], given)
    return arrays


@contextmanager
def _to_torch(adapter: Adapter, every: Mapping[Place, DirectionWeights]) -> Iterator[None]:
    torch: Any = sys.modules["torch"]
    native = adapter.native
    parameters, attributes = dict(native._parameters), dict(vars(native))  # noqa: SLF001  torch has no other way
    try:
        native.bias = True
        names = []
        for (layer, direction), weights in sorted(every.items()):
            suffix = "" if adapter.is_cell else f"_l{layer}{'_reverse' if direction else ''}"
            like = parameters[f"weight_hh{suffix}"]
            for name, array in _stored(adapter, (layer, direction), weights, PYTORCH).items():
                native._parameters[name + suffix] = torch.nn.Parameter(torch.tensor(array).to(like.device))  # noqa: SLF001
            names.append([f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")])
        if not adapter.is_cell:
            native._all_weights = names  # noqa: SLF001
            native._flat_weights_names = [name for each in names for name in each]  # noqa: SLF001
            native._flat_weights = [getattr(native, name) for name in native._flat_weights_names]  # noqa: SLF001
            if hasattr(native, "_flat_weight_refs"):
                native._flat_weight_refs = [ref(each) for each in native._flat_weights]  # noqa: SLF001
        yield
    finally:
        native._parameters.clear()  # noqa: SLF001
        native._parameters.update(parameters)  # noqa: SLF001
        vars(native).update(attributes)


@contextmanager
def _to_keras(adapter: Adapter, every: Mapping[Place, DirectionWeights]) -> Iterator[None]:
    cells = {(layer, side): adapter.cells[layer][side] for layer, side in every}  # type: ignore[attr-defined]
    kept = {place: (cell.use_bias, cell.bias) for place, cell in cells.items()}
    keras: Any = sys.modules[type(next(iter(cells.values()))).__module__.partition(".")[0]]
    tensor = keras.ops.convert_to_tensor if hasattr(keras, "ops") else keras.backend.constant
    try:
        for place, cell in cells.items():
            (array,) = _stored(adapter, place, every[place], KERAS).values()
            cell.use_bias, cell.bias = True, tensor(array)
        yield
    finally:
        for place, cell in cells.items():
            cell.use_bias, cell.bias = kept[place]
