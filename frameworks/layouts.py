"""How each framework stores recurrent weights: one declared table a framework, and the one way to read a table.

Reading an array by its table gives a view wherever its numbers are those to compute with, so the same table serves for reading
and for writing. What is refolded, spread over several arrays or changed is read as a copy, which is read-only.

Sources: keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`build` and `call` of the cells);
https://docs.pytorch.org/docs/stable/generated/torch.nn.{RNN,LSTM,GRU}.html, "Variables";
https://onnx.ai/onnx/operators/onnx__{RNN,LSTM,GRU}.html, "Inputs"; keras/saving/hdf5_format.py of Keras 2.2 to 2.6
(`_convert_rnn_weights`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from frameworks.cells import GATES
from frameworks.spec import RecurrentSpec
from frameworks.stored_parts import Block, Stored
from frameworks.weights import BIASES, PARTS, DirectionWeights, shape_of

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Layout:
    """Where a framework keeps each part of one direction's weights, and in which order the gates lie there.

    Args:
        gates: of each cell, in the framework's order.
        kernel: where it is.
        recurrent_kernel: where it is.
        one_bias: where the bias of a layer with one is.
        two_biases: where the bias and the recurrent bias of a layer with both are.
        splits_biases: whether there are two biases also where they act alike.
        projection: the matrix that projects a hidden state, in a framework that has one.
    """

    gates: Mapping[str, tuple[str, ...]]
    kernel: Stored
    recurrent_kernel: Stored
    one_bias: Stored
    two_biases: tuple[Stored, Stored]
    splits_biases: bool = False
    projection: Stored | None = None

    def has_two_biases(self, spec: RecurrentSpec) -> bool:
        """Tell whether the framework keeps a recurrent bias beside the bias."""
        return spec.has_two_biases or (self.splits_biases and spec.bias and spec.reset_after)

    def parts(self, spec: RecurrentSpec) -> dict[str, Stored]:
        """Return where each part is that a layer of this spec has."""
        biases = self.two_biases if self.has_two_biases(spec) else (self.one_bias, None)
        stored = zip(PARTS, (self.kernel, self.recurrent_kernel, *biases), strict=True)
        return {part: array for part, array in stored if array is not None and (spec.bias or part not in BIASES)}

    def shapes(self, spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, tuple[int, ...]]:
        """Return the shape of each stored array, by its name in the framework and in its order.

        Args:
            spec: what they are the weights of.
            layer: which layer of it.
            proj_size: the width that each hidden state is projected to, which no spec holds; 0 where it is not projected.
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
        """Yield each gate's numbers in those stored arrays of one direction that are given.

        Args:
            arrays: by their names in the framework, shaped as `shapes` says.
            spec: what they are the weights of.
            layer: which layer of it.
        """
        sizes = axis_sizes(spec, layer)
        for part, stored in self.parts(spec).items():
            yield from stored.blocks(arrays, part, sizes, self.gates[spec.cell])

    def views(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> dict[str, Array]:
        """Return the parts whose stored arrays are given, in canonical form, gates in the framework's own order.

        They are views of the arrays where the numbers lie as they are, and read-only copies elsewhere.

        Args:
            arrays: by their names in the framework, shaped as `shapes` says.
            spec: what they are the weights of.
            layer: which layer of it.
        """
        gates, sizes = self.gates[spec.cell], axis_sizes(spec, layer)
        found = {}
        for part, stored in self.parts(spec).items():
            if not arrays.keys() >= stored.gates_by_array(gates).keys():
                continue
            if stored.spread or stored.added or stored.negated:
                found[part] = _gathered(stored.blocks(arrays, part, sizes, gates), gates, shape_of(part, spec, layer))
            else:
                found[part] = stored.view(arrays[stored.name], part, sizes)
        return found

    def read(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> DirectionWeights:
        """Return the weights of one direction, whose stored arrays are all given, as `views` gives them."""
        return DirectionWeights(gates=self.gates[spec.cell], **self.views(arrays, spec, layer))

    def read_gradients(self, arrays: Mapping[str, Array], spec: RecurrentSpec, layer: int) -> DirectionWeights:
        """Return the gradients of the stored arrays of one direction as those of its weights, which `read` would give."""
        tables = {name: replace(getattr(self, name), added={}) for name in ("kernel", "recurrent_kernel", "one_bias")}
        first, second = (replace(stored, added={}) for stored in self.two_biases)
        return (
            replace(self, **tables, two_biases=(first, second))
            .read(arrays, spec, layer)
            .with_equal_biases(self.gates_with_one_bias(spec))
        )

    def gates_with_one_bias(self, spec: RecurrentSpec) -> tuple[str, ...]:
        """Return the gates that the recurrent bias of such a layer leaves out, where it has one."""
        stored = self.parts(spec).get("recurrent_bias")
        held = {gate for each in stored.spread.values() for gate in each} if stored else set()
        return tuple(gate for gate in self.gates[spec.cell] if held and gate not in held)


def _gathered(blocks: Iterator[Block], gates: tuple[str, ...], shape: tuple[int, ...]) -> Array:
    """Put the numbers of each gate together, zero for a gate without any."""
    found = list(blocks)
    whole = np.zeros(shape, found[0].array.dtype)
    for block in found:
        whole[gates.index(block.gate)] = block.decode()
    whole.flags.writeable = False
    return whole


def axis_sizes(spec: RecurrentSpec, layer: int, proj_size: int = 0) -> dict[str, int]:
    """Return the size of every axis that a table can name."""
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
    one_bias=Stored("bias_ih", "(gate hidden)"),  # of a GRU that resets before the product, which torch.nn does not have
    two_biases=(Stored("bias_ih", "(gate hidden)"), Stored("bias_hh", "(gate hidden)")),
    splits_biases=True,
    projection=Stored("weight_hr", "projected hidden"),
)

CUDNN = Layout(
    gates=KERAS.gates,
    kernel=Stored("kernel", "input (gate hidden)", refolded="hidden input"),
    recurrent_kernel=Stored("recurrent_kernel", "hidden (gate from)"),
    one_bias=Stored("bias", "(gate hidden)"),  # none has it: CuDNN keeps two always
    two_biases=(Stored("bias", "(pair gate hidden)"), Stored("bias", "(pair gate hidden)")),
    splits_biases=True,
)
"""What CuDNNLSTM and CuDNNGRU of Keras 2 left in files."""

ONNX = Layout(
    gates={**GATES, "lstm": ("input", "output", "forget", "candidate")},
    kernel=Stored("W", "(gate hidden) input"),
    recurrent_kernel=Stored("R", "(gate hidden) from"),
    # of a GRU that resets before the product: the sum of its two, which the reader makes
    one_bias=Stored("B", "(gate hidden)"),
    two_biases=(Stored("B", "(pair gate hidden)"), Stored("B", "(pair gate hidden)")),
    splits_biases=True,
)
"""One direction of an ONNX node, whose arrays have the directions along a first axis."""
