"""The port of a diagnosis: its recurrent layers, whose weights are observed, and its call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.sides.contents import Contents, Held
from compare.diagnosis.sides.lent_biases import lent_biases
from compare.diagnosis.sides.port_tensors import Tensors, arrays_of, halved, in_single_precision, is_on_meta
from compare.diagnosis.sides.right_side import Data, RightSide
from compare.diagnosis.weights.origins import Place
from compare.groundwork.restoring import as_before, without_a_trace
from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.layouts import Layout
from frameworks.registry import adapt, has_flags
from frameworks.rows import owner_of, row_of
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class PortCell:
    """Where the port holds one direction of one layer of the right side.

    Args:
        held: the layer of the port.
        layer: the number of the layer in it.
        direction: the direction in it.
    """

    held: Held
    layer: int
    direction: int

    def read(self) -> DirectionWeights:
        """Return the weights, gates in canonical order."""
        return self.held.adapter.get_weights().layers[self.layer][self.direction]


class PortSide:
    """The port.

    Args:
        native: the user's object.
        right: the right side.
    """

    def __init__(self, native: Any, right: RightSide) -> None:
        """Find the recurrent layers that the port holds.

        Raises:
            GatewiseError: for an object that is neither a layer nor callable, and for a layer that is not built.
        """
        self.native = native
        self.right = right
        self.half = ""
        try:
            self.adapter: Adapter | None = adapt(in_single_precision(native))
        except GatewiseError:
            if getattr(native, "proj_size", 0) or is_on_meta(native):
                raise
            self.adapter = None
        if self.adapter is None and not callable(native):
            raise InvalidTypeError.because(
                "the port",
                must="be a recurrent layer, or be called like the right one",
                but=f"is a {type(native).__name__}",
                remedy="Pass the module, the model or the function that replaces the right layer.",
            )
        of_adapter = Contents([self.adapter.native], [Held("", self.adapter)]) if self.adapter is not None else None
        self.contents = of_adapter or Contents.of(native)
        rights = right.adapter.native if isinstance(right.adapter.native, (list, tuple)) else (right.adapter.native,)
        self._own = [root for root in self.contents.roots if not any(root is each for each in rights)]
        own = [held for held in self.contents.held if not any(held.adapter.native is each for each in rights)]
        self.contents.held = own or self.contents.held  # a function may read the sizes of the right layer

    @property
    def held(self) -> list[Held]:
        """The recurrent layers that it holds."""
        return self.contents.held

    @property
    def is_layer(self) -> bool:
        """Whether the port is a layer like the right one, which has no call of its own to compare."""
        both_flagged = self.adapter is not None and self.adapter.options is not None and self.right.adapter.options is not None
        return self.adapter is not None and not (
            both_flagged and has_flags(self.native) and has_flags(self.right.adapter.native)
        )

    @property
    def reads_backwards(self) -> bool:
        """Whether it is a layer that reads the sequence from its end."""
        return self.adapter is not None and self.adapter.options is not None and self.adapter.options.go_backwards

    @property
    def is_stateless(self) -> bool:
        """Whether it is a layer without flags, which cannot keep states from call to call."""
        return self.adapter is not None and self.adapter.options is None

    @cached_property
    def framework(self) -> str:
        """The framework whose tensors the port takes."""
        if self.adapter is not None:
            return self.adapter.framework
        owners = [owner.name for root in (*self._own, *self.contents.roots) if (owner := owner_of(root)) is not None]
        return self.held[0].adapter.framework if self.held else next(iter(owners), "pytorch")

    def cells(self) -> list[list[PortCell]] | None:
        """Return where the port holds each layer and direction of the right side; None if it cannot be told."""
        spec = self.right.adapter.spec
        places = spec.num_layers * spec.num_directions
        found = [
            PortCell(held, layer, direction)
            for held in self.held
            for layer in range(held.adapter.spec.num_layers)
            for direction in range(held.adapter.spec.num_directions)
        ]
        found = [cell for cell in found if cell.held.adapter.spec.cell == spec.cell]
        if len(found) != places:
            return None
        if all(cell.held.adapter.spec.num_directions == spec.num_directions for cell in found):
            ordered = found
        else:
            ordered = sorted(found, key=lambda cell: _is_backward(cell.held)) if spec.num_layers == 1 else found
        return [ordered[at : at + spec.num_directions] for at in range(0, places, spec.num_directions)]

    def names_of_arrays(self) -> dict[Place, str]:
        """Return how code names the arrays of each place of a torch port."""
        rows = self.cells() or () if self.framework == "pytorch" else ()
        return {(layer, side): self._name(cell) for layer, row in enumerate(rows) for side, cell in enumerate(row)}

    def _name(self, cell: PortCell) -> str:
        module = "{}" if len(self.held) == 1 else f"{{}}s[{self.held.index(cell.held)}]"
        is_cell = getattr(cell.held.adapter, "is_cell", False)
        return f"{module}.{{}}" if is_cell else f"{module}.{{}}_l{cell.layer}{'_reverse' if cell.direction else ''}"

    def call(self, data: Data, times: int = 1) -> list[list[Array]]:
        """Return the arrays that the port returns, in order, at each of several calls, and leave it as it was.

        Raises:
            GatewiseError: if the port raises an error, or returns anything but arrays of numbers.
        """
        make = Tensors.of(self.framework, self.contents.roots)
        given: dict[str, Any] = {}
        if data.mask is not None:
            given["mask"] = make.make(data.mask)
        if data.states is not None:
            given["initial_state"] = make.nested(self.right.own_states(data))
        inputs = make.make(np.ascontiguousarray(data.inputs.swapaxes(0, 1) if self.right.adapter.time_major else data.inputs))
        with as_before(self.contents.roots):
            try:
                with make.without_gradients():
                    returned = [self.native(inputs, **given) for _ in range(times)]
            except Exception as error:  # whatever the user's code raises
                raise _failed(error, given) from error
            self.half = self.half or halved(returned[0])
            return [arrays_of(each) for each in returned]

    @contextmanager
    def holding(self, weights: RecurrentWeights, cells: list[list[PortCell]]) -> Iterator[None]:
        """Put weights into the port's layers, and its own back afterwards."""
        kept = [(cell, cell.read()) for row in cells for cell in row]
        wanted = list(zip([cell for cell, _ in kept], [one for *_, one in weights], strict=True))
        with without_a_trace(held.adapter.native for held in self.held):
            try:
                for cell, one in wanted:
                    cell.held.adapter.write(cell.layer, cell.direction, one)
                with lent_biases((cell.held.adapter, (cell.layer, cell.direction), one) for cell, one in wanted):
                    yield
            finally:
                for cell, own in kept:
                    cell.held.adapter.write(cell.layer, cell.direction, own)


def _failed(error: Exception, given: Iterable[str]) -> GatewiseError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    return InvalidValueError.because(
        "the port",
        must=f"be called as port(inputs{''.join(f', {name}=' for name in given)})",
        but=f"raises {type(error).__name__}: {first}",
        remedy="Pass what the porter calls in place of the right layer, with the same arguments.",
    )


def _is_backward(held: Held) -> bool:
    """Return whether a layer of one direction is the backward one, by its option or its name."""
    options = held.adapter.options
    return (options is not None and options.go_backwards) or any(word in held.name.lower() for word in ("back", "bw", "rev"))


def layout_of(framework: str) -> Layout:
    """Return the layout of a framework's own layers."""
    return row_of(framework).layout
