"""How each framework stores recurrent weights: one declared table per framework, and one way to read the tables.

A part is read as a view wherever the stored numbers are the ones to compute with, so the same table serves for reading and for
writing. Parts that are refolded, spread over several arrays, or stored as other numbers are read as read-only copies.

Sources: keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`build` and `call` of the cells);
https://docs.pytorch.org/docs/stable/generated/torch.nn.{RNN,LSTM,GRU}.html, "Variables";
https://onnx.ai/onnx/operators/onnx__{RNN,LSTM,GRU}.html, "Inputs"; keras/saving/hdf5_format.py of Keras 2.2 to 2.6
(`_convert_rnn_weights`); keras/layers/recurrent.py of Keras 1.2 (`build` and `step`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from frameworks.cells import CELLS, GATES
from frameworks.part_layout import Block, Stored
from frameworks.spec import RecurrentSpec
from frameworks.weights import BIASES, PARTS, DirectionWeights, shape_of

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Layout:
    """The arrays in which a framework stores the weights of one direction, and the order of their gates.

    Args:
        gates: the gates of each cell in the framework's order.
        kernel: the storage of the kernel.
        recurrent_kernel: the storage of the recurrent kernel.
        one_bias: the storage of the bias if there is only one.
        two_biases: the storage of the bias and of the recurrent bias if there are both.
        splits_biases: whether there are two biases even if only their sum acts.
        projection: the storage of the matrix that projects the hidden state, or None if the framework has no projection.
    """

    gates: Mapping[str, tuple[str, ...]]
    kernel: Stored
    recurrent_kernel: Stored
    one_bias: Stored
    two_biases: tuple[Stored, Stored]
    splits_biases: bool = False
    projection: Stored | None = None

    @property
    def joins_kernels(self) -> bool:
        """Whether the kernel and the recurrent kernel are in the same arrays."""
        return self.kernel == self.recurrent_kernel

    def has_two_biases(self, spec: RecurrentSpec) -> bool:
        """Return whether the framework stores a recurrent bias in addition to the bias."""
        return spec.has_two_biases or (self.splits_biases and spec.bias and spec.reset_after)

    def parts(self, spec: RecurrentSpec) -> dict[str, Stored]:
        """Return the storage of each part of a layer with this spec, by the part's name."""
        biases = self.two_biases if self.has_two_biases(spec) else (self.one_bias, None)
        stored = zip(PARTS, (self.kernel, self.recurrent_kernel, *biases), strict=True)
        return {part: array for part, array in stored if array is not None and (spec.bias or part not in BIASES)}

    def shapes(self, spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, tuple[int, ...]]:
        """Return the shape of each stored array by its name in the framework, in the framework's order.

        Args:
            spec: the spec of the whole stack.
            layer: the index of the layer.
            proj_size: the width that each hidden state is projected to, which is not part of a spec; 0 for no projection.
        """
        sizes = axis_sizes(spec, layer, proj_size)
        projection = (self.projection,) if self.projection is not None and proj_size else ()
        return {
            name: stored.shape({**sizes, "gate": len(held)})
            for stored in (*self.parts(spec).values(), *projection)
            for name, held in stored.gates_by_array(self.gates[spec.cell]).items()
        }

    def names(self, spec: RecurrentSpec) -> tuple[str, ...]:
        """Return the names of the stored arrays of one direction, in the framework's order."""
        gates = self.gates[spec.cell]
        return tuple(dict.fromkeys(name for stored in self.parts(spec).values() for name in stored.gates_by_array(gates)))

    def blocks(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> Iterator[Block]:
        """Yield the numbers of each gate in the stored arrays of one direction.

        Args:
            arrays: some or all of the arrays, by name in the framework, with the shapes of `shapes`.
            spec: the spec of the whole stack.
            layer: the index of the layer.
        """
        sizes = axis_sizes(spec, layer)
        for part, stored in self.parts(spec).items():
            yield from stored.blocks(arrays, part, sizes, self.gates[spec.cell])

    def views(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> dict[str, Array]:
        """Return the parts whose stored arrays are all present, in canonical form, gates in the framework's own order.

        They are views if the stored numbers are the ones to compute with, and read-only copies otherwise.

        Args:
            arrays: some or all of the arrays, by name in the framework, with the shapes of `shapes`.
            spec: the spec of the whole stack.
            layer: the index of the layer.
        """
        gates, sizes = self.gates[spec.cell], axis_sizes(spec, layer)
        views = {}
        for part, stored in self.parts(spec).items():
            if not arrays.keys() >= stored.gates_by_array(gates).keys():
                continue
            if stored.spread or stored.added or stored.negated:
                views[part] = _gathered(stored.blocks(arrays, part, sizes, gates), gates, shape_of(part, spec, layer))
            else:
                views[part] = stored.view(arrays[stored.name], part, sizes)
        return views

    def read(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> DirectionWeights:
        """Return the weights of one direction from all of its stored arrays, see `views`."""
        return DirectionWeights(gates=self.gates[spec.cell], **self.views(arrays, spec, layer))

    def read_gradients(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> DirectionWeights:
        """Convert the gradients with respect to the stored arrays of one direction to gradients with respect to its weights."""
        tables = {name: replace(getattr(self, name), added={}) for name in ("kernel", "recurrent_kernel", "one_bias")}
        first, second = (replace(stored, added={}) for stored in self.two_biases)
        return (
            replace(self, **tables, two_biases=(first, second))
            .read(arrays, spec, layer)
            .with_equal_biases(self.gates_with_one_bias(spec))
        )

    def gates_with_one_bias(self, spec: RecurrentSpec) -> tuple[str, ...]:
        """Return the gates that are missing in a stored recurrent bias."""
        stored = self.parts(spec).get("recurrent_bias")
        held = {gate for each in stored.spread.values() for gate in each} if stored else set()
        return tuple(gate for gate in self.gates[spec.cell] if held and gate not in held)


def _gathered(blocks: Iterator[Block], gates: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    """Assemble the numbers of all gates in one array; a gate without stored numbers gets zeros."""
    present = list(blocks)
    whole = np.zeros(shape, present[0].array.dtype)
    for block in present:
        whole[gates.index(block.gate)] = block.decode()
    whole.flags.writeable = False
    return whole


def axis_sizes(spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, int]:
    """Return the size of each axis that a table can name."""
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
    gates=GATES,
    kernel=Stored("kernel", "input (gate hidden)"),
    recurrent_kernel=Stored("recurrent_kernel", "from (gate hidden)"),
    one_bias=Stored("bias", "(gate hidden)"),
    two_biases=(Stored("bias", "pair (gate hidden)"), Stored("bias", "pair (gate hidden)")),
)

PYTORCH = Layout(
    gates={**GATES, "gru": ("reset", "update", "candidate")},
    kernel=Stored("weight_ih", "(gate hidden) input"),
    recurrent_kernel=Stored("weight_hh", "(gate hidden) from"),
    one_bias=Stored("bias_ih", "(gate hidden)"),  # for a GRU with reset_after=False, which torch.nn does not have
    two_biases=(Stored("bias_ih", "(gate hidden)"), Stored("bias_hh", "(gate hidden)")),
    splits_biases=True,
    projection=Stored("weight_hr", "projected hidden"),
)

CUDNN = Layout(
    gates=KERAS.gates,
    kernel=Stored("kernel", "input (gate hidden)", refolded="hidden input"),
    recurrent_kernel=Stored("recurrent_kernel", "hidden (gate from)"),
    one_bias=Stored("bias", "(gate hidden)"),  # never used: CuDNN always stores two
    two_biases=(Stored("bias", "(pair gate hidden)"), Stored("bias", "(pair gate hidden)")),
    splits_biases=True,
)
"""CuDNNLSTM and CuDNNGRU in files of Keras 2."""


def _one_array_per_gate(cell: str, keys: str) -> Layout:
    """Return the table of a cell that stores one array per gate.

    Args:
        cell: the name of the cell.
        keys: the letters that name the arrays of its gates, in canonical order.
    """
    spread = {key: (gate,) for key, gate in zip(keys, GATES[cell], strict=True)}
    bias = Stored("b_{}", "(gate hidden)", spread=spread)
    return Layout(
        gates=GATES,
        kernel=Stored("W_{}", "input (gate hidden)", spread=spread),
        recurrent_kernel=Stored("U_{}", "from (gate hidden)", spread=spread),
        one_bias=bias,
        two_biases=(bias, bias),  # never used: Keras 1 has one bias
    )


KERAS1: Mapping[str, Layout] = MappingProxyType(
    {"lstm": _one_array_per_gate("lstm", "ifco"), "gru": _one_array_per_gate("gru", "zrh")}
)
"""The cells that Keras 1 stores with one array per gate; its other cells are stored as in Keras 2."""


def tensorflow1(cell: str, forget_bias: float = 1.0) -> Layout:
    """Return the table of a cell of TensorFlow 1: BasicRNNCell, LSTMCell, or GRUCell, which has two kernels.

    Args:
        cell: "rnn", "lstm", or "gru" with `reset_after=False`.
        forget_bias: the constant that an LSTM adds to its forget gate at run time, an argument of its constructor.

    Source: python/ops/rnn_cell_impl.py of TensorFlow 1.15 (`build` and `call`).
    """
    spread = {"gates": ("reset", "update"), "candidate": ("candidate",)} if "reset" in CELLS[cell].gates else {}
    added = {"forget": forget_bias} if CELLS[cell].forgets and forget_bias else {}
    own = "{}/" if spread else ""
    kernel = Stored(f"{own}kernel", "input+from (gate hidden)", spread=spread)
    bias = Stored(f"{own}bias", "(gate hidden)", spread=spread, added=added)
    return Layout(
        gates={
            **GATES,
            "lstm": ("input", "candidate", "forget", "output"),
            "gru": ("reset", "update", "candidate"),
        },
        kernel=kernel,
        recurrent_kernel=kernel,
        one_bias=bias,
        two_biases=(bias, bias),  # never used: there is one bias
    )


ONNX = Layout(
    gates={**GATES, "lstm": ("input", "output", "forget", "candidate")},
    kernel=Stored("W", "(gate hidden) input"),
    recurrent_kernel=Stored("R", "(gate hidden) from"),
    # for a GRU with reset_after=False: the sum of its two biases, which the reader computes
    one_bias=Stored("B", "(gate hidden)"),
    two_biases=(Stored("B", "(pair gate hidden)"), Stored("B", "(pair gate hidden)")),
    splits_biases=True,
)
"""One direction of an ONNX node; in the node's arrays, the first axis is the direction."""
