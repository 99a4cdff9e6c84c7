"""Recurrent layers in a file, as read-only adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from types import MappingProxyType
from typing import Any, Literal

import numpy.typing as npt

from frameworks import copying, registry
from frameworks.adapter import Mask, States, check_call
from frameworks.errors import GatewiseError, InvalidValueError, NoCounterpartError
from frameworks.files.untrusted.source import StoredArray
from frameworks.gradients import RecurrentGradients, check_cotangents
from frameworks.layouts import Layout
from frameworks.options import BACKWARDS, KerasOptions
from frameworks.output import RecurrentOutput
from frameworks.reference.forward import run_reference
from frameworks.reference.gradients import run_reference_gradients
from frameworks.rows import FrameworkName
from frameworks.showing import markdown_blocks, markdown_list, shortened
from frameworks.shown_layers import ShownLayer, layer_table, sizes_of
from frameworks.spec import DTypeName, RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]
Origin = Literal["keras", "pytorch"]


@dataclass(frozen=True, eq=False)
class StoredCell:
    """One direction of one recurrent layer, as the file stores it.

    Args:
        spec: the spec of this direction; its `input_size` is the number of features that this layer reads.
        layout: how the file stores the weights.
        arrays: the arrays by their names in the layout, in the shapes of the layout.
        dropout: the rate at which the cell drops inputs in training.
        recurrent_dropout: the rate at which the cell drops the hidden state in training.
    """

    spec: RecurrentSpec
    layout: Layout
    arrays: Mapping[str, StoredArray]
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    def read(self) -> DirectionWeights:
        """Read the weights from the file, gates in the file's order."""
        if "weight_hr" in self.arrays:
            raise NoCounterpartError.because(
                "proj_size", must="be 0 for canonical weights", but="is not", remedy="Use .emulate, or the arrays of .cells."
            )
        return self.layout.read({name: array.read() for name, array in self.arrays.items()}, self.spec, 0)


@dataclass(frozen=True, eq=False, repr=False)
class StoredLayer(ShownLayer):
    """A recurrent layer in a file. It is a read-only `Adapter`, which `copy_weights` and `check_parity` accept.

    Args:
        name: the layer's name in its model; in a nested model, both names joined by a slash.
        origin: "keras", or "pytorch" for a layer from a torch or ONNX file.
        class_name: the class, as stated in the file.
        cells: `cells[layer][direction]`.
        options: the Keras options; None for a layer that is called like a torch module.
        warnings: assumptions about what the file does not state, and other caveats.
        mask: the origin of its input's mask, such as "embedding (mask_zero)"; "" if there is none or it is unknown.
        arguments: arguments of a torch module that the spec lacks: `batch_first`, which is None where the file does not state
            it, `dropout`, `proj_size`.
        place: the place where Keras 3 stores the variables of this layer; "" if unknown.
        assumed: the options of the cell and of the call that the file does not state, so that their values are assumed.

    Example:
        >>> open_checkpoint("model.npz")["encoder"].weights.layers[0][0].kernel.shape  # (gate, input, hidden)
        (4, 3, 4)
    """

    name: str
    origin: Origin
    class_name: str
    cells: tuple[tuple[StoredCell, ...], ...]
    options: KerasOptions | None = None
    warnings: tuple[str, ...] = ()
    mask: str = ""
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    place: str = ""
    assumed: frozenset[str] = frozenset()

    batch_size = None
    notes: tuple[str, ...] = ()

    @property
    def time_major(self) -> bool | None:
        """Whether the layer's own call has the time axis first; None if the file does not state it."""
        if self.options is not None or self.is_cell:
            return False
        batch_first = self.arguments.get("batch_first")
        return None if batch_first is None else not batch_first

    @property
    def spec(self) -> RecurrentSpec:
        """The spec of the layer.

        Raises:
            NoCounterpartError: for unlike cells, which no single spec describes; use `parts`.
        """
        first = self.cells[0][0].spec
        directions = len(self.cells[0])
        if "proj_size" in self.arguments:
            raise NoCounterpartError.because(
                f"proj_size of {self.name}",
                must="be 0 for a spec",
                but=f"is {self.arguments['proj_size']}",
                remedy="No Keras layer projects its hidden state: use .emulate.",
            )
        for layer, cells in enumerate(self.cells):
            for direction, cell in enumerate(cells):
                reads = first.input_size if layer == 0 else directions * first.hidden_size
                self._require_alike(replace(first, input_size=reads), cell.spec, f"layer {layer}, direction {direction}")
        return replace(first, num_layers=len(self.cells), bidirectional=directions == 2)

    @property
    def parts(self) -> tuple[StoredLayer, ...]:
        """Each cell as a separate layer, named after the layer and the cell's place in it."""
        if len(self.cells) == len(self.cells[0]) == 1:
            return (self,)
        return tuple(self._part(*place) for place in product(range(len(self.cells)), range(len(self.cells[0]))))

    def _part(self, layer: int, direction: int) -> StoredLayer:
        options = self.options
        if options is not None:
            options = replace(options, go_backwards=options.go_backwards != bool(direction), nesting="layers")
        elif direction:
            options = BACKWARDS
        name = f"{self.name}/{_place(self, layer, direction)}"
        return replace(self, name=name, cells=((self.cells[layer][direction],),), options=options)

    @property
    def weights(self) -> RecurrentWeights:
        """The weights in canonical form: read-only copies, read from the file each time."""
        return RecurrentWeights(tuple(tuple(cell.read() for cell in cells) for cells in self.cells)).owned()

    def convert(self, to: FrameworkName = "pytorch") -> Any:
        """Build a framework's built-in layer with these weights, as `frameworks.convert` does.

        Raises:
            NoCounterpartError: for anything that the layer cannot hold, or would silently do differently.
        """
        return copying.convert(self, to)

    def emulate(self, to: FrameworkName = "pytorch") -> Any:
        """Build a layer that behaves like the stored one, in its own framework or in the other.

        A torch module whose file does not state batch_first is built with batch_first=True.

        Args:
            to: "pytorch" ("torch" is the same) or "keras", the framework of the result.

        Returns:
            A Keras layer or a torch.nn.Module with the calls and results of the stored layer.

        Raises:
            GatewiseError: for what cannot be emulated.
        """
        return registry.load_builder(to).emulate(self)

    @property
    def framework(self) -> FrameworkName:
        """The framework that the layer comes from."""
        return self.origin

    @property
    def native(self) -> StoredLayer:
        """The layer itself."""
        return self

    @property
    def dropout(self) -> float:
        """The dropout rate between layers, in training."""
        return float(self.arguments.get("dropout", 0.0))

    @property
    def is_cell(self) -> bool:
        """Whether the layer is a bare cell."""
        return self.class_name.endswith("Cell") if self.options is None else self.options.nesting == "cell"

    @property
    def zeroes_masked_steps(self) -> bool:
        """Whether outputs at masked steps are zero: always in torch or with two directions, otherwise if the flag is set."""
        return len(self.cells[0]) == 2 or self.options is None or self.options.zero_output_for_mask

    @property
    def reads_backwards(self) -> bool:
        """Whether the first direction reads time steps from the last to the first."""
        return self.options is not None and self.options.go_backwards

    @property
    def precision(self) -> DTypeName:
        """The dtype of the weights."""
        return self.spec.dtype

    def get_weights(self) -> RecurrentWeights:
        """Return the weights in canonical form: read-only copies."""
        return self.weights

    def set_weights(self, weights: RecurrentWeights) -> None:  # noqa: ARG002  the Protocol's
        """Raise an error: a file is not written in place."""
        raise self._unwritable()

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Read the weights of one direction, gates in the file's order."""
        return self.cells[layer][direction].read()

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:  # noqa: ARG002  the Protocol's
        """Raise an error: a file is not written in place."""
        raise self._unwritable()

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Compute the layer in NumPy, without a framework; see `Adapter.forward`."""
        way = slice(None, None, -1 if self.reads_backwards else 1)
        check_call(self.spec, inputs, initial_state, mask)
        reversed_mask = None if mask is None else mask[:, way]
        reversed_output = run_reference(
            self.weights, self.spec, inputs[:, way], initial_state, reversed_mask, zero_masked=self.zeroes_masked_steps
        )
        arrays = {each.name: getattr(reversed_output, each.name) for each in fields(reversed_output)}
        arrays["output"] = arrays["output"][:, way]
        return RecurrentOutput(**{name: None if one is None else one.astype(self.spec.dtype) for name, one in arrays.items()})

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate the layer in float64 NumPy, without a framework; see `Adapter.gradients`."""
        way = slice(None, None, -1 if self.reads_backwards else 1)
        reversed_mask = None if mask is None else mask[:, way]
        output, *states = check_cotangents(self.spec, inputs, cotangents)
        counted = RecurrentOutput(output[:, way], *states)
        reversed_gradients = run_reference_gradients(
            self.weights, self.spec, inputs[:, way], initial_state, reversed_mask, counted, zero_masked=self.zeroes_masked_steps
        )
        return replace(reversed_gradients, inputs=reversed_gradients.inputs[:, way])

    def to_markdown(self) -> str:
        """Return the layer as a table of its options and of what else the file states, and a list of the caveats."""
        stated = [("name", self.name), ("class", self.class_name), *self.arguments.items(), ("mask", self.mask)]
        rows = [*stated, ("assumed", ", ".join(sorted(self.assumed)))]
        table = layer_table(self, *((name, value) for name, value in rows if value not in ("", None)))
        return markdown_blocks(table.rstrip(), markdown_list(self.warnings))

    def _in_a_line(self) -> str:
        named = f"StoredLayer {shortened(repr(self.name), 40)}, {self.origin} {shortened(self.class_name, 40)}"
        try:
            return f"{named} ({sizes_of(self.spec)})"
        except GatewiseError:
            return f"{named} of {len(self.cells) * len(self.cells[0])} unlike cells"

    def _require_alike(self, expected: RecurrentSpec, actual: RecurrentSpec, place: str) -> None:
        for each in fields(RecurrentSpec):
            one, other = getattr(expected, each.name), getattr(actual, each.name)
            if one != other:
                raise NoCounterpartError.because(
                    f"{each.name} of {place} of {self.name}",
                    must=f"be {one!r}, as the first cell requires",
                    but=f"is {other!r}",
                    remedy="No single spec describes unlike cells: use .emulate, or .parts one at a time.",
                )

    def _unwritable(self) -> GatewiseError:
        return InvalidValueError.because(
            f"the target {self.name}",
            must="be a layer",
            but="is a layer in a file",
            remedy="Build a layer with .convert or .emulate.",
        )


def _place(layer: StoredLayer, index: int, direction: int) -> str:
    parts = []
    if len(layer.cells[0]) == 2:
        parts.append(("forward", "backward")[direction])
    if len(layer.cells) > 1:
        is_stacked_cell = layer.options is not None and layer.options.nesting == "cells"
        parts.append(f"cell {index}" if is_stacked_cell else f"layer {index}")
    return " ".join(parts)
