"""How each framework stores recurrent weights: one declared table a framework, and the one way to read a table.

A stored array is described by its axes in the notation of einops: `input (gate hidden)` is a matrix with one row an input
feature whose columns are the gates' blocks one after the other. `from` is the hidden unit that a recurrent kernel reads, `pair`
the two biases where they share an array, `projected` the unit that a hidden state is projected to. Reading an array by its
table gives a view, never a copy, so the same table serves for reading and for writing; but for a refolded array, which is read
only.

Sources: keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`build` and `call` of the cells);
https://docs.pytorch.org/docs/stable/generated/torch.nn.{RNN,LSTM,GRU}.html, "Variables";
https://onnx.ai/onnx/operators/onnx__{RNN,LSTM,GRU}.html, "Inputs"; keras/saving/hdf5_format.py of Keras 2.2 to 2.6
(`_convert_rnn_weights`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from frameworks.spec import RecurrentSpec
from frameworks.weights import PARTS, DirectionWeights

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


@dataclass(frozen=True)
class Stored:
    """One array of a framework: its name there and its axes, slowest first.

    Args:
        name: of the array.
        axes: of the array.
        refolded: the axes along which the elements of one gate's block, taken row by row, really lie; empty where they lie
            as `axes` says.
    """

    name: str
    axes: str
    refolded: str = ""

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The axes of the array, each with the axes that it fuses."""
        return tuple(tuple(group.strip("()").split()) for group in re.findall(r"\([^)]*\)|\S+", self.axes))

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Give the shape of the array for these axis sizes."""
        return tuple(math.prod(sizes[axis] for axis in group) for group in self.groups)

    def view(self, array: Array, part: str, sizes: Mapping[str, int]) -> Array:
        """Give the canonical view of `part` in the stored `array`, gates in the framework's order."""
        flat = [axis for group in self.groups for axis in group]
        split = array.reshape([sizes[axis] for axis in flat])  # axes are only split, which never copies
        if "pair" in flat:
            split = np.moveaxis(split, flat.index("pair"), 0)[_PAIR[part]]
            flat.remove("pair")
        if self.refolded:
            split = np.moveaxis(split, flat.index("gate"), 0)
            flat = ["gate", *self.refolded.split()]
            split = split.reshape([sizes[axis] for axis in flat])  # a copy, which no one must take for the array itself
            split.flags.writeable = False
        view: Array = split.transpose([flat.index(axis) for axis in _CANONICAL_AXES[part]])
        return view


@dataclass(frozen=True)
class Layout:
    """Where a framework keeps each part of one direction's weights, and in which order the gates lie there."""

    gates: Mapping[str, tuple[str, ...]]
    kernel: Stored
    recurrent_kernel: Stored
    one_bias: Stored
    two_biases: tuple[Stored, Stored]
    cells_with_two_biases: frozenset[str]
    projection: Stored | None = None

    def has_two_biases(self, spec: RecurrentSpec) -> bool:
        """Tell whether the framework keeps a recurrent bias beside the bias."""
        return spec.bias and spec.reset_after and spec.cell in self.cells_with_two_biases

    def parts(self, spec: RecurrentSpec) -> dict[str, Stored]:
        """Give the stored array of each part that a layer of this spec has."""
        biases = self.two_biases if self.has_two_biases(spec) else (self.one_bias, None)
        stored = zip(PARTS, (self.kernel, self.recurrent_kernel, *biases), strict=True)
        return {part: array for part, array in stored if array is not None and (spec.bias or part not in _PAIR)}

    def shapes(self, spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, tuple[int, ...]]:
        """Give the shape of each stored array, by its name in the framework and in its order.

        Args:
            spec: what they are the weights of.
            layer: which layer of it.
            proj_size: the width that each hidden state is projected to, which no spec holds; 0 where it is not projected.
        """
        sizes = axis_sizes(spec, layer, proj_size)
        projection = (self.projection,) if self.projection is not None and proj_size else ()
        return {stored.name: stored.shape(sizes) for stored in (*self.parts(spec).values(), *projection)}

    def names(self, spec: RecurrentSpec) -> tuple[str, ...]:
        """Give the names of the stored arrays of one direction, in the framework's order."""
        return tuple(dict.fromkeys(stored.name for stored in self.parts(spec).values()))

    def views(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> dict[str, Array]:
        """Give canonical views of those stored arrays of one direction that are given, gates in the framework's own order.

        Args:
            arrays: by their names in the framework, shaped as `shapes` says.
            spec: what they are the weights of.
            layer: which layer of it.
        """
        sizes = axis_sizes(spec, layer)
        parts = self.parts(spec).items()
        return {part: stored.view(arrays[stored.name], part, sizes) for part, stored in parts if stored.name in arrays}

    def read(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> DirectionWeights:
        """Give the views of all stored arrays of one direction as its weights."""
        return DirectionWeights(gates=self.gates[spec.cell], **self.views(arrays, spec, layer))


def axis_sizes(spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, int]:
    """Give the size of every axis that a table can name."""
    state = proj_size or spec.hidden_size
    return {
        "gate": len(spec.gates),
        "input": spec.input_size if layer == 0 else spec.num_directions * state,
        "from": state,
        "hidden": spec.hidden_size,
        "projected": proj_size,
        "pair": 2,
    }


KERAS = Layout(
    gates={
        "rnn": ("candidate",),
        "lstm": ("input", "forget", "candidate", "output"),
        "gru": ("update", "reset", "candidate"),
    },
    kernel=Stored("kernel", "input (gate hidden)"),
    recurrent_kernel=Stored("recurrent_kernel", "from (gate hidden)"),
    one_bias=Stored("bias", "(gate hidden)"),
    two_biases=(Stored("bias", "pair (gate hidden)"), Stored("bias", "pair (gate hidden)")),
    cells_with_two_biases=frozenset({"gru"}),
)

PYTORCH = Layout(
    gates={
        "rnn": ("candidate",),
        "lstm": ("input", "forget", "candidate", "output"),
        "gru": ("reset", "update", "candidate"),
    },
    kernel=Stored("weight_ih", "(gate hidden) input"),
    recurrent_kernel=Stored("weight_hh", "(gate hidden) from"),
    one_bias=Stored("bias_ih", "(gate hidden)"),  # of a GRU that resets before the product, which torch.nn does not have
    two_biases=(Stored("bias_ih", "(gate hidden)"), Stored("bias_hh", "(gate hidden)")),
    cells_with_two_biases=frozenset({"rnn", "lstm", "gru"}),
    projection=Stored("weight_hr", "projected hidden"),
)

CUDNN = Layout(
    gates=KERAS.gates,
    kernel=Stored("kernel", "input (gate hidden)", refolded="hidden input"),
    recurrent_kernel=Stored("recurrent_kernel", "hidden (gate from)"),
    one_bias=Stored("bias", "(gate hidden)"),  # none has it: CuDNN keeps two always
    two_biases=(Stored("bias", "(pair gate hidden)"), Stored("bias", "(pair gate hidden)")),
    cells_with_two_biases=frozenset({"lstm", "gru"}),
)
"""What CuDNNLSTM and CuDNNGRU of Keras 2 left in files."""

ONNX = Layout(
    gates={
        "rnn": ("candidate",),
        "lstm": ("input", "output", "forget", "candidate"),
        "gru": ("update", "reset", "candidate"),
    },
    kernel=Stored("W", "(gate hidden) input"),
    recurrent_kernel=Stored("R", "(gate hidden) from"),
    one_bias=Stored(
        "B", "(gate hidden)"
    ),  # of a GRU that resets before the product: the sum of its two, which the reader makes
    two_biases=(Stored("B", "(pair gate hidden)"), Stored("B", "(pair gate hidden)")),
    cells_with_two_biases=frozenset({"rnn", "lstm", "gru"}),
)
"""One direction of an ONNX node, whose arrays have the directions along a first axis."""
