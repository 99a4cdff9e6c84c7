"""What a writer asks of a layer: its options by the version that wrote it, its arrays in torch's layout, its shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from frameworks.errors import NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.kinds import KERAS, PYTORCH, Kind, options_of, permutation
from frameworks.models.graph import Graph, Layer, Shape, tensors_in
from frameworks.models.pytorch.pieces import Site, Target, literal


@dataclass(frozen=True)
class Given:
    """A layer with its options and arrays.

    Args:
        layer: the layer.
        graph: the graph that it is called in.
        target: what the source is written for.
    """

    layer: Layer
    graph: Graph
    target: Target

    @property
    def version(self) -> tuple[int, ...]:
        """The version of Keras that wrote the layer."""
        return self.target.version

    @property
    def kind(self) -> Kind:
        """The record of its Keras class."""
        return KERAS.get(self.layer.kind)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The options with which it computes, each stated or with the default of the version that wrote it."""
        return options_of(self.layer.kind, self.layer.config, self.version)

    def __getitem__(self, name: str) -> Any:
        """Return an option."""
        return self.options[name]

    def sizes(self, name: str, rank: int) -> tuple[int, ...]:
        """Return an option with a number for each of several axes, which may be stated as one for all.

        Raises:
            TypeError: for anything else than whole numbers.
        """
        value = self[name]
        sizes = tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank
        if any(type(size) is not int for size in sizes):
            raise TypeError(f"{name} is {value!r}, where whole numbers are expected")
        return sizes

    @property
    def channels_first(self) -> bool:
        """Whether axis 1 of the inputs holds the channels."""
        return self.options.get("data_format") == "channels_first"

    @property
    def stored(self) -> Mapping[str, StoredArray]:
        """The arrays by their Keras names."""
        return self.layer.stored.stored if isinstance(self.layer.stored, OtherLayer) else {}

    def arrays(self, module: str) -> dict[str, Blocks]:
        """Return the arrays of a torch module that stands for the layer, by their names in its state_dict."""
        target, arrays = PYTORCH.get(module), {}
        for name, stored in self.stored.items():
            here, there = self.kind.array(name), target.meaning(name)
            if here is not None and there is not None:
                axes = permutation(here, there)
                arrays[there.name] = transposed(stored, axes) if axes else unchanged(stored)
        return arrays

    @property
    def shapes(self) -> list[Shape | None]:
        """The shape of the first tensor that each of its calls reads; None for one that is not known."""
        read = [next(tensors_in(call.args)) for call in self.graph.calls_of(self.layer.name)]
        return [self.graph.shapes.get(tensor) for tensor in read]

    @property
    def shape(self) -> Shape | None:
        """The shape of the first tensor that its first call reads; None if it is not known."""
        return next(iter(self.shapes), None)

    def rank(self) -> int:
        """Return the number of axes of what the layer reads, with the batch axis.

        Raises:
            NoCounterpartError: if it is not known.
        """
        if self.shape is None:
            raise NoCounterpartError.because(
                f"the input of {self.layer.kind} {self.layer.name!r}",
                must="have a known number of axes",
                but="its shape cannot be inferred from the model",
                remedy="Replace the layer before it, which hides the shape, and save the model again.",
            )
        return len(self.shape)

    def refused(self, option: str, must: str, remedy: str, value: Any = None) -> NoCounterpartError:
        """Return the error for an option whose value the source cannot carry."""
        value = self[option] if value is None else value
        return NoCounterpartError.because(
            f"{option} of {self.layer.kind} {self.layer.name!r}", must=must, but=f"is {value!r}", remedy=remedy
        )


def constant(value: float, shape: tuple[int, ...], dtype: Any) -> Blocks:
    """Return an array that holds one number everywhere."""
    kind = np.dtype(dtype).newbyteorder("<")
    return Blocks(shape, kind, lambda: iter([np.full(shape, value, kind)]))


def reshaped(array: Blocks, shape: tuple[int, ...]) -> Blocks:
    """Return the same elements in the same order, in another shape."""
    return replace(array, shape=shape)


def number_or_all(numbers: tuple[Any, ...]) -> str:
    """Return the numbers of several axes as an argument: one number if all are the same."""
    return literal(numbers[0] if len(set(numbers)) == 1 else numbers)


def arguments(*positional: object, **named: tuple[object, object]) -> str:
    """Return the arguments of a constructor; each named one as (value, torch's default), left out where they are equal."""
    stated = [f"{name}={_shown(value)}" for name, (value, default) in named.items() if str(value) != str(default)]
    return ", ".join([*map(_shown, positional), *stated])


def _shown(value: object) -> str:
    """Return an argument as source; a text is source already."""
    return value if isinstance(value, str) else literal(value)


def is_frozen_in(site: Site) -> bool:
    """Return whether the layer of a call is frozen."""
    return not site.graph.layers[site.call.layer].trainable
