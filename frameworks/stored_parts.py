"""One part of a layer's weights as a framework stores it: in which arrays, along which axes, with which numbers.

The axes of an array are described in the notation of einops: `input (gate hidden)` is a matrix with one row an input feature
whose columns are the gates' blocks one after the other. `from` is the hidden unit that a recurrent kernel reads, `pair` the two
biases where they share an array, `projected` the unit that a hidden state is projected to; `input+from` is an axis along which
both kernels lie one after the other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

_CANONICAL_AXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "kernel": ("gate", "input", "hidden"),
        "recurrent_kernel": ("gate", "from", "hidden"),
        "bias": ("gate", "hidden"),
        "recurrent_bias": ("gate", "hidden"),
    }
)
_PAIR: Mapping[str, int] = MappingProxyType({"bias": 0, "recurrent_bias": 1})


class Block(NamedTuple):
    """The numbers of one gate in one part of the weights, where a framework stores them.

    Args:
        part: of the weights.
        gate: by its name.
        array: a view of the stored array: (input, hidden), (hidden, hidden) or (hidden,).
        added: what the framework adds to each number before it computes with it.
        negated: whether the framework then computes with the opposite.
    """

    part: str
    gate: str
    array: Array
    added: float = 0.0
    negated: bool = False

    def decode(self) -> Array:
        """Return the numbers that the framework computes with: the array itself where they are the stored ones."""
        array = self.array + self.added if self.added else self.array
        return -array if self.negated else array

    def encode(self) -> None:
        """Turn numbers to compute with, which were written into the array, into those to store, in place.

        Negation is exact. The sum is rounded once each way.
        """
        if self.negated:
            np.negative(self.array, out=self.array)
        if self.added:
            np.subtract(self.array, self.added, out=self.array)


@dataclass(frozen=True)
class Stored:
    """One part of the weights in a framework: the name of its array and its axes, slowest first.

    Args:
        name: of the array.
        axes: of the array.
        refolded: the axes along which the elements of one gate's block, taken row by row, really lie; empty where they lie
            as `axes` says.
        spread: where several arrays hold the part, the gates of each in its order, by what stands in its name for "{}". A
            recurrent bias may leave out gates whose two biases act alike: it is zero there.
        added: by gate, what the framework adds to the stored numbers before it computes with them.
        negated: the gates whose stored numbers are the opposite of those that the equations here compute with.
    """

    name: str
    axes: str
    refolded: str = ""
    spread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: Mapping[str, float] = field(default_factory=dict)
    negated: tuple[str, ...] = ()

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The axes of the array, each with the axes that it fuses."""
        return tuple(tuple(group.strip("()").split()) for group in re.findall(r"\([^)]*\)|\S+", self.axes))

    @property
    def is_plain(self) -> bool:
        """Whether one array holds the part, and nothing else along its axes, with the numbers to compute with."""
        return not (self.refolded or self.spread or self.added or self.negated or "+" in self.axes)

    def gates_by_array(self, gates: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the gates that each array holds in its order, by the array's name.

        Args:
            gates: of the cell in the layout's order, which one array for all has.
        """
        return {self.name.format(key): held for key, held in self.spread.items()} or {self.name: gates}

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of an array for these axis sizes."""
        return tuple(math.prod(_size(axis, sizes) for axis in group) for group in self.groups)

    def view(self, array: Array, part: str, sizes: Mapping[str, int]) -> Array:
        """Return the canonical view of `part` in one stored array, gates in the array's order."""
        flat = [axis for group in self.groups for axis in group]
        split = array.reshape([_size(axis, sizes) for axis in flat])  # axes are only split, which never copies
        if "pair" in flat:
            split = np.moveaxis(split, flat.index("pair"), 0)[_PAIR[part]]
            flat.remove("pair")
        for place, axis in enumerate(flat):
            if "+" in axis:
                before, flat[place] = _within(axis, part)
                first = sum(sizes[each] for each in before)
                split = np.moveaxis(np.moveaxis(split, place, 0)[first : first + sizes[flat[place]]], 0, place)
        if self.refolded:
            split = np.moveaxis(split, flat.index("gate"), 0)
            flat = ["gate", *self.refolded.split()]
            split = split.reshape([sizes[axis] for axis in flat])  # a copy, which no one must take for the array itself
            split.flags.writeable = False
        view: Array = split.transpose([flat.index(axis) for axis in _CANONICAL_AXES[part]])
        return view

    def blocks(
        self, arrays: Mapping[str, Array], part: str, sizes: Mapping[str, int], gates: tuple[str, ...]
    ) -> Iterator[Block]:
        """Yield each gate's numbers of `part` in those of its arrays that are given.

        Args:
            arrays: by their names in the framework.
            part: of the weights.
            sizes: of the axes.
            gates: of the cell in the layout's order.
        """
        for name, held in self.gates_by_array(gates).items():
            if name in arrays:
                view = self.view(arrays[name], part, {**sizes, "gate": len(held)})
                for gate, array in zip(held, view, strict=True):
                    yield Block(part, gate, array, self.added.get(gate, 0.0), gate in self.negated)


def _size(axis: str, sizes: Mapping[str, int]) -> int:
    return sizes[axis] if axis in sizes else sum(sizes[each] for each in axis.split("+"))


def _within(axis: str, part: str) -> tuple[list[str], str]:
    """Return which axis of `part` an axis of several holds, and those before it."""
    joined = axis.split("+")
    place = next(place for place, each in enumerate(joined) if each in _CANONICAL_AXES[part])
    return joined[:place], joined[place]
