"""The port of a diagnosis: its recurrent layers, whose weights are observed, and its call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.right_side import Data, RightSide
from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.layouts import Layout
from frameworks.registry import adapt, has_flags, owner_name
from frameworks.rows import FRAMEWORKS, owner_of
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Held:
    """A recurrent layer that the port holds.

    Args:
        name: its name in the port.
        adapter: its adapter.
    """

    name: str
    adapter: Adapter


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
        """Find the recurrent layers that the port holds."""
        self.native = native
        self.right = right
        try:
            self.adapter: Adapter | None = adapt(native)
        except GatewiseError:
            self.adapter = None
        self.held = [Held("", self.adapter)] if self.adapter is not None else list(_held(native))
        if self.adapter is None and not callable(native):
            raise InvalidTypeError.because(
                "the port",
                must="be a recurrent layer, or be called like the right one",
                but=f"is a {type(native).__name__}",
                remedy="Pass the module, the model or the function that replaces the right layer.",
            )

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
    def framework(self) -> str:
        """The framework whose tensors the port takes."""
        native = self.native
        if owner_of(native) is not None:
            return owner_name(native)
        return self.held[0].adapter.framework if self.held else "pytorch"

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
            ordered = sorted(found, key=lambda cell: _is_backward(cell.held.name)) if spec.num_layers == 1 else found
        return [ordered[at : at + spec.num_directions] for at in range(0, places, spec.num_directions)]

    def call(self, data: Data) -> list[Array]:
        """Return the arrays that the port returns, in order."""
        make = self._tensors()
        given: dict[str, Any] = {}
        if data.mask is not None:
            given["mask"] = make(data.mask)
        if data.states is not None:
            given["initial_state"] = _nested(make, self.right.own_states(data))
        inputs = data.inputs.swapaxes(0, 1) if self.right.adapter.time_major else data.inputs
        try:
            with _without_gradients(self.framework):
                returned = self.native(make(np.ascontiguousarray(inputs)), **given)
        except Exception as error:  # whatever the user's code raises
            raise InvalidValueError.because(
                "the port",
                must=f"be called as port(inputs{''.join(f', {name}=' for name in given)})",
                but=f"raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                remedy="Pass what the porter calls in place of the right layer, with the same arguments.",
            ) from error
        return [_as_array(leaf) for leaf in _flat(returned)]

    @contextmanager
    def holding(self, weights: RecurrentWeights, cells: list[list[PortCell]]) -> Iterator[None]:
        """Put weights into the port's layers, and its own back afterwards."""
        kept = [(cell, cell.read()) for row in cells for cell in row]
        try:
            for row, layers in zip(cells, weights.layers, strict=True):
                for cell, one in zip(row, layers, strict=True):
                    cell.held.adapter.write(cell.layer, cell.direction, one)
            yield
        finally:
            for cell, own in kept:
                cell.held.adapter.write(cell.layer, cell.direction, own)

    @contextmanager
    def in_evaluation(self) -> Iterator[bool]:
        """Put the port's torch modules into evaluation mode, and back; tell whether any was in training mode."""
        modules = [module for root in _roots(self.native) if hasattr(root, "modules") for module in root.modules()]
        training = [module for module in modules if module.training]
        for module in training:
            module.training = False
        try:
            yield bool(training)
        finally:
            for module in training:
                module.training = True

    def _tensors(self) -> Callable[[Any], Any]:
        if self.framework == "pytorch":
            torch = sys.modules.get("torch")
            if torch is None:
                return lambda array: array
            device = next((p.device for held in self.held for p in held.adapter.native.parameters()), "cpu")
            return lambda array: torch.from_numpy(np.array(array)).to(device)
        keras = sys.modules["tf_keras" if type(self.native).__module__.startswith("tf_keras") else "keras"]
        if keras.__name__ == "tf_keras":
            return keras.backend.constant  # type: ignore[no-any-return]
        return keras.ops.convert_to_tensor  # type: ignore[no-any-return]


def _held(native: Any) -> Iterator[Held]:
    """Yield the recurrent layers that an object holds, also in the closure of a function; each once."""
    seen: set[int] = set()
    for root in _roots(native):
        yield from _inside(root, "", seen)


def _roots(native: Any) -> Iterator[Any]:
    if owner_of(native) is not None:
        yield native
        return
    if isinstance(native, partial):
        for each in (native.func, *native.args, *native.keywords.values()):
            yield from _roots(each)
        return
    if inspect.ismethod(native):
        yield from _roots(native.__self__)
    function = inspect.unwrap(native) if callable(native) else native
    if inspect.isfunction(function):
        named = inspect.getclosurevars(function)
        for each in (*named.nonlocals.values(), *named.globals.values(), *(function.__defaults__ or ())):
            if owner_of(each) is not None or isinstance(each, (list, tuple)):
                yield from ([each] if owner_of(each) is not None else [item for item in each if owner_of(item) is not None])
    elif hasattr(native, "__dict__"):
        yield from (each for each in vars(native).values() if owner_of(each) is not None)


def _inside(native: Any, name: str, seen: set[int]) -> Iterator[Held]:
    if id(native) in seen:
        return
    seen.add(id(native))
    try:
        yield Held(name, adapt(native))
        return
    except GatewiseError:
        pass
    for child_name, child in _children(native):
        yield from _inside(child, f"{name}.{child_name}".lstrip("."), seen)


def _children(native: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(native, "named_children"):
        yield from native.named_children()
    for layer in getattr(native, "layers", None) or getattr(native, "_layers", ()):
        yield layer.name, layer


def _is_backward(name: str) -> bool:
    return any(word in name.lower() for word in ("back", "bw", "rev"))


def _nested(make: Callable[[Any], Any], states: Any) -> Any:
    return type(states)(_nested(make, each) for each in states) if isinstance(states, (tuple, list)) else make(states)


def _flat(returned: Any) -> Iterator[Any]:
    if isinstance(returned, dict):
        returned = list(returned.values())
    if isinstance(returned, (tuple, list)):
        for each in returned:
            yield from _flat(each)
    elif returned is not None:
        yield returned


def _as_array(leaf: Any) -> Array:
    return np.asarray(leaf.detach().cpu() if hasattr(leaf, "detach") else leaf)


@contextmanager
def _without_gradients(framework: str) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None or framework != "pytorch":
        yield
        return
    with torch.no_grad():
        yield


def layout_of(framework: str) -> Layout:
    """Return the layout of a framework's own layers."""
    return next(row.layout for row in FRAMEWORKS if row.name == framework)
