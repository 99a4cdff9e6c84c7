"""Inputs for a proof, drawn from the inputs of a graph: other sizes in each call, and masks that end early and have holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from compare.models.proving.uses import Use, use_of
from frameworks.models.graph import Graph, Shape, Tensor

Array = npt.NDArray[Any]
Padding = Literal["", "end", "holes"]
"""Whether masked steps follow all others, or stand anywhere; "" where no mask is made of the inputs."""
_BATCHES = (3, 5)
"""The number of rows of the first and of the second call, unless the model fixes it."""
_SIZES = ((12, 14, 10, 9), (9, 11, 8, 7))
"""The sizes of further axes that the model leaves free, in the first and in the second call: inputs often share a time axis."""
_SCALES = (1, 2, 4, 8, 16)
"""How many times longer free axes are, where a model refuses shorter ones."""
_KEPT = 0.65
"""The share of steps that a mask with holes keeps."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The inputs of one call.

    Args:
        arrays: one array for each input of the model.
        how: how each was made, in words.
        padding: where masked steps are.
    """

    arrays: tuple[Array, ...]
    how: tuple[str, ...]
    padding: Padding = ""


@dataclass(frozen=True)
class _Wish:
    """How the inputs of one call are drawn.

    Args:
        call: which call it is, from 0.
        holes: whether masked steps stand anywhere.
        scale: how many times longer the free axes are.
        apart: whether the second axes of several inputs have lengths of their own.
        empty: whether a row has no valid step.
    """

    call: int
    holes: bool
    scale: int = 1
    apart: bool = False
    empty: bool = False

    @property
    def words(self) -> str:
        """Where masked steps are."""
        if not self.holes:
            return "at the end"
        return f"anywhere{', and a whole row' if self.empty else ''}"


def draw(graph: Graph, call: int, *, holes: bool, seed: int = 0) -> Iterator[Drawn]:
    """Yield inputs for one call of a proof, to be tried until the model accepts them.

    The sizes that the model fixes are kept. First several inputs have lengths of their own, then a common one, then a longer
    one; first a row is wholly masked, then none.

    Args:
        graph: the model.
        call: 0 or 1; the two have other sizes.
        holes: whether masked steps stand anywhere rather than at the end.
        seed: of the random numbers.
    """
    for scale in _SCALES:
        for apart in (True, False) if len(graph.inputs) > 1 else (False,):
            for empty in (True, False) if holes else (False,):
                yield _drawn(graph, _Wish(call, holes, scale, apart, empty), seed)


def _drawn(graph: Graph, wish: _Wish, seed: int) -> Drawn:
    rng = np.random.default_rng((seed, wish.call))
    every = [_draw_one(graph, tensor, at, wish, rng) for at, tensor in enumerate(graph.inputs)]
    padding: Padding = "" if not any(each.padding for each in every) else "holes" if wish.holes else "end"
    return Drawn(tuple(each.arrays[0] for each in every), tuple(each.how[0] for each in every), padding)


def _draw_one(graph: Graph, tensor: Tensor, at: int, wish: _Wish, rng: np.random.Generator) -> Drawn:
    dtype = np.dtype(graph.dtypes.get(tensor, "float32"))
    shape = _shape(graph.shapes.get(tensor, (None, None)), replace(wish, apart=wish.apart and at > 0))
    use = use_of(graph, tensor)
    if dtype.kind == "b":
        return Drawn((draw_mask(shape, wish, rng),), (f"a mask, false {wish.words}",), "end")
    if use.sizes or dtype.kind in "iu":
        return _draw_ids(use, dtype, shape, wish, rng)
    array = rng.standard_normal(shape).astype(dtype)
    if not use.masks or len(shape) < 2:
        return Drawn((array,), ("normal numbers",))
    array[~draw_mask(shape[:2], wish, rng)] = use.mask_value
    return Drawn((array,), (f"normal numbers, masked steps (all {use.mask_value:g}) {wish.words}",), "end")


def _draw_ids(use: Use, dtype: np.dtype[Any], shape: tuple[int, ...], wish: _Wish, rng: np.random.Generator) -> Drawn:
    size = min(use.sizes or [10])
    ids = rng.integers(min(1, size - 1) if use.masks else 0, size, shape)
    how = f"integers below {size}"
    if use.masks:
        ids = np.where(draw_mask(shape, wish, rng), ids, int(use.mask_value))
        how = f"{how}, masked steps ({use.mask_value:g}) {wish.words}"
    return Drawn((ids.astype(dtype if dtype.kind in "iu" else "int32"),), (how,), "end" if use.masks else "")


def _shape(shape: Shape, wish: _Wish) -> tuple[int, ...]:
    """Return a shape with sizes for the axes that the model leaves free."""
    sizes, batch = _SIZES[wish.call], _BATCHES[wish.call]
    free = (batch, *(wish.scale * each for each in sizes))
    return tuple(size or free[min(at, len(sizes))] + (1 if wish.apart and at == 1 else 0) for at, size in enumerate(shape))


def draw_mask(shape: tuple[int, ...], wish: _Wish, rng: np.random.Generator) -> Array:
    """Return a mask of the last axis: true at valid steps.

    Without holes rows end at different steps, the first one at the end. With holes, the first row begins with masked steps, the
    second has one hole and ends early, and the last one is wholly masked if that is wished for.
    """
    rows, steps = int(np.prod(shape[:-1], dtype=int)), shape[-1]
    places = np.arange(steps)
    if not wish.holes:
        lengths = np.maximum(1, steps - 2 * (np.arange(rows) % max(1, steps // 2)))
        return (places < lengths[:, None]).reshape(shape)
    mask = rng.random((rows, steps)) < _KEPT
    mask[np.arange(rows), rng.integers(0, steps, rows)] = True
    mask[0] = places >= min(2, steps - 1)
    if rows > 1:
        mask[1] = ((places != steps // 2) & (places < steps - 1)) | (places == 0)
    if wish.empty and rows > 2:
        mask[-1] = False
    return mask.reshape(shape)
