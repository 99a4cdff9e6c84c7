"""How a framework stores one part of a layer's weights: its arrays, their axes, and how the stored numbers are changed.

The axes of an array are written in the notation of einops: `input (gate hidden)` is a matrix with one row per input feature,
whose columns are the blocks of the gates one after the other. `from` is the previous hidden unit, which a recurrent kernel
reads. `pair` is the axis of the two biases in a shared array. `projected` is the unit that a hidden state is projected to.
`input+from` is an axis that joins the two kernels, one after the other.
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
    """The stored numbers of one gate in one part of the weights.

    Args:
        part: the part of the weights, such as "kernel".
        gate: the name of the gate.
        array: a view of the stored array: (input, hidden), (hidden, hidden) or (hidden,).
        added: the constant that the framework adds to each number before it computes with it.
        negated: whether the framework then computes with the negative.
    """

    part: str
    gate: str
    array: Array
    added: float = 0.0
    negated: bool = False

    def decode(self) -> Array:
        """Return the numbers that the framework computes with, which is the array itself if they are stored unchanged."""
        array = self.array + self.added if self.added else self.array
        return -array if self.negated else array

    def encode(self) -> None:
        """Replace the numbers to compute with, which are in the array now, by the numbers to store.

        Negation is exact. Adding and subtracting the constant rounds once each way.
        """
        if self.negated:
            np.negative(self.array, out=self.array)
        if self.added:
            np.subtract(self.array, self.added, out=self.array)


@dataclass(frozen=True)
class Stored:
    """How a framework stores one part of the weights: the name of its array and its axes, slowest first.

    Args:
        name: the name of the array.
        axes: the axes of the array.
        refolded: the true axes of one gate's block when its elements are read row by row; empty if they are those in `axes`.
        spread: the gates in each array, in order, if several arrays store the part; the key replaces "{}" in the array's name.
            A recurrent bias may leave out gates whose two biases act only as a sum: it is zero there.
        added: the constant per gate that the framework adds to the stored numbers before it computes with them.
        negated: the gates whose stored numbers are the negatives of those in the equations of `frameworks.reference`.
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
        """Whether one array stores exactly this part, as the numbers to compute with."""
        return not (self.refolded or self.spread or self.added or self.negated or "+" in self.axes)

    def gates_by_array(self, gates: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the gates in each array, in its order, by the array's name.

        Args:
            gates: the gates of the cell in the layout's order, for a part that is stored in a single array.
        """
        return {self.name.format(key): held for key, held in self.spread.items()} or {self.name: gates}

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of an array for these axis sizes."""
        return tuple(math.prod(_size(axis, sizes) for axis in group) for group in self.groups)

    def view(self, array: Array, part: str, sizes: Mapping[str, int]) -> Array:
        """Return the canonical view of `part` in one stored array, with the gates in the array's order."""
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
            split = split.reshape([sizes[axis] for axis in flat])  # a copy: writing to it would not reach the array
            split.flags.writeable = False
        view: Array = split.transpose([flat.index(axis) for axis in _CANONICAL_AXES[part]])
        return view

    def blocks(
        self, arrays: Mapping[str, Array], part: str, sizes: Mapping[str, int], gates: tuple[str, ...]
    ) -> Iterator[Block]:
        """Yield the numbers of each gate of `part` in the arrays that are passed.

        Args:
            arrays: some or all of the part's arrays, by name in the framework.
            part: the part of the weights, such as "kernel".
            sizes: the size of each axis.
            gates: the gates of the cell in the layout's order.
        """
        for name, held in self.gates_by_array(gates).items():
            if name in arrays:
                view = self.view(arrays[name], part, {**sizes, "gate": len(held)})
                for gate, array in zip(held, view, strict=True):
                    yield Block(part, gate, array, self.added.get(gate, 0.0), gate in self.negated)


def _size(axis: str, sizes: Mapping[str, int]) -> int:
    return sizes[axis] if axis in sizes else sum(sizes[each] for each in axis.split("+"))


def _within(axis: str, part: str) -> tuple[list[str], str]:
    """Return the axes that come before the axis of `part` along a joined axis, and that axis itself."""
    joined = axis.split("+")
    place = next(place for place, each in enumerate(joined) if each in _CANONICAL_AXES[part])
    return joined[:place], joined[place]
