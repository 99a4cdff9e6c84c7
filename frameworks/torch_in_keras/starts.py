"""The initial weights of torch's modules, drawn into Keras's layers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import layers

from frameworks.cells import CELLS, cells_by_name
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.torch_in_keras.layers.module import TorchModule

Draw = Callable[[tuple[int, ...], str, Callable[[], int]], Any]
"""A function of a shape, a dtype and a function that returns a new seed at each call; it returns a tensor."""

_CELLS = {getattr(layers, name): CELLS[cell] for name, cell in cells_by_name("keras", "Cell").items()}
_NORMALISATION = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    *((layers.RMSNormalization,) if hasattr(layers, "RMSNormalization") else ()),  # newer than Keras 3.5
)
_CONSTANTS = {"gamma": 1, "scale": 1, "moving_variance": 1, "beta": 0, "moving_mean": 0}


def initialise_like_pytorch(layer: Any, seed: int | None) -> Any:
    """Draw the weights of a layer as torch would, see `frameworks.initialise_like_pytorch`."""
    plan = _plan(layer)
    # Each of Keras's initialisers takes its seed from Python's global generator.
    source: Any = random if seed is None else random.Random(seed)  # noqa: S311  not a secret
    for variable, draw in plan:
        wide = "float64" if variable.dtype == "float64" else "float32"
        variable.assign(draw(tuple(variable.shape), wide, lambda: source.randint(1, 10**9)))
    return layer


def _plan(layer: Any) -> list[tuple[Any, Draw]]:
    """Return each variable of the layer once, with the function that draws it; raise an error for a weight without one."""
    planned: dict[int, tuple[Any, Draw]] = {}
    parts = layer._flatten_layers()  # noqa: SLF001  Keras has no public walk through layers within layers
    for part in parts:
        _require_built(part)
        for variable, draw in _starts_of(part):
            if variable is not None:
                _require_floating(variable)
                planned.setdefault(id(variable), (variable, draw))
    for variable in layer.weights:
        if id(variable) not in planned:
            *_, owner = (part for part in parts if any(each is variable for each in part.weights))
            raise NoCounterpartError.because(
                f"the weight {variable.path}",
                must="belong to a recurrent, Dense, Embedding, Conv or normalisation layer, whose initial weights in torch are "
                "known",
                but=f"belongs to a {type(owner).__module__}.{type(owner).__qualname__}",
                remedy="Initialise the layers one by one, and this one by hand.",
            )
    return list(planned.values())


def _starts_of(part: Any) -> Iterator[tuple[Any, Draw]]:
    cell = next((cell for kind, cell in _CELLS.items() if isinstance(part, kind)), None)
    if cell is not None:
        bound = 1 / math.sqrt(part.units)
        yield from ((weight, _uniform(bound)) for weight in (part.kernel, part.recurrent_kernel))
        yield part.bias, _uniform(bound, terms=1 if cell.biases_act_apart else 2)
    elif isinstance(part, TorchModule):
        yield from ((getattr(part, name), _uniform(1 / math.sqrt(part.hidden_size))) for name in part.weight_shapes)
    elif isinstance(part, (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)):
        draw = _uniform(1 / math.sqrt(max(1, math.prod(part.kernel.shape[:-1]))))
        yield from ((weight, draw) for weight in (part.kernel, part.bias))
    elif isinstance(part, layers.Embedding):
        yield part.embeddings, lambda shape, dtype, seed: keras.random.normal(shape, dtype=dtype, seed=seed())
    elif isinstance(part, _NORMALISATION):
        for variable in part.weights:
            if variable.name in _CONSTANTS:
                yield variable, _constant(_CONSTANTS[variable.name])


def _uniform(bound: float, terms: int = 1) -> Draw:
    """Return a function that draws uniformly between -bound and bound, or the sum of several such draws."""

    def draw(shape: tuple[int, ...], dtype: str, seed: Callable[[], int]) -> Any:
        return sum(keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=seed()) for _ in range(terms))

    return draw


def _constant(value: float) -> Draw:
    return lambda shape, dtype, seed: keras.ops.full(shape, value, dtype=dtype)  # noqa: ARG005  one signature


def _require_built(part: Any) -> None:
    if not part.built:
        raise InvalidValueError.because(
            f"{type(part).__name__} {part.name!r}",
            must="be built",
            but="has no weights to draw yet",
            remedy="Call the layer or model once on data, or .build((None, None, input_size)) first.",
        )


def _require_floating(variable: Any) -> None:
    if not keras.backend.is_float_dtype(variable.dtype):
        raise InvalidTypeError.because(
            f"the weight {variable.path}",
            must="be of a floating dtype",
            but=f"is {variable.dtype}",
            remedy="Initialise the layer before it is quantised.",
        )
