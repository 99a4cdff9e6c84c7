"""What a port holds: the objects of frameworks that it reaches, and the recurrent layers inside them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.registry import adapt
from frameworks.rows import owner_of


@dataclass(frozen=True, eq=False)
class Held:
    """A recurrent layer that the port holds.

    Args:
        name: its name in the port.
        adapter: its adapter.
    """

    name: str
    adapter: Adapter


@dataclass
class Contents:
    """What a port holds.

    Args:
        roots: the objects that it reaches: modules, layers, and functions with what they bind.
        held: the recurrent layers among them and inside them, each once.
        misshapen: what is wrong with a recurrent module whose arrays do not have the shapes that its sizes ask for.
        quantised: the classes of quantised recurrent modules, whose weights cannot be read.
    """

    roots: list[Any] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    quantised: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, native: Any) -> Contents:
        """Find out what a port holds.

        Raises:
            GatewiseError: for a recurrent Keras layer that is not built.
        """
        named = list(_roots(native, "", set()))
        found = cls([root for _, root in named])
        seen: set[int] = set()
        for name, root in named:
            if owner_of(root) is not None:
                found._search(root, name, seen)
        return found

    def _search(self, native: Any, name: str, seen: set[int]) -> None:
        if id(native) in seen:
            return
        seen.add(id(native))
        try:
            self.held.append(Held(name, adapt(native)))
        except GatewiseError as error:
            self._note(native, str(error))
        else:
            return
        for child_name, child in _children(native):
            self._search(child, f"{name}.{child_name}".lstrip("."), seen)

    def _note(self, native: Any, refusal: str) -> None:
        kind = type(native)
        quantised = kind.__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized"))
        if quantised and any(name in kind.__name__ for name in ("RNN", "LSTM", "GRU")):
            self.quantised.append(kind.__name__)
        elif " of the module must have shape " in refusal:
            self.misshapen.append(refusal.partition(". ")[0])
        elif _is_unbuilt(native):
            raise InvalidValueError.because(
                f"{native.name} of the port",
                must="be built",
                but="has no weights yet",
                remedy="Call it once, or build it, and copy the weights into it.",
            )


def _is_unbuilt(native: Any) -> bool:
    """Return whether an object is a recurrent Keras layer without weights."""
    is_recurrent = any(name in {each.__name__ for each in type(native).__mro__} for name in ("RNN", "Bidirectional"))
    return getattr(native, "built", True) is False and is_recurrent


def _roots(native: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the objects that a port reaches, each with its name; of a function those that it binds."""
    if id(native) in seen:
        return
    seen.add(id(native))
    inside: Mapping[str, Any] = {}
    if owner_of(native) is not None:
        yield name, native
    elif isinstance(native, (list, tuple)):
        inside = {f"{name}[{number}]": each for number, each in enumerate(native)}
    elif isinstance(native, dict):
        inside = {f"{name}[{key!r}]": each for key, each in native.items()}
    elif isinstance(native, partial):
        inside = {"": native.func, "args": native.args, **native.keywords}
    elif inspect.ismethod(native):
        inside = {"": native.__func__, "self": native.__self__}
    elif inspect.isfunction(native):
        yield name, native
        inside = dict(_bound(inspect.unwrap(native)))
    elif callable(native) and hasattr(native, "__dict__") and not isinstance(native, type):
        yield name, native
        inside = vars(native)
    for inner, each in inside.items():
        yield from _roots(each, inner, seen)


def _bound(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables and defaults that a function binds, those of enclosing functions first."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # the variable has no value yet
            yield name, cell.cell_contents
    names = function.__globals__
    for name in function.__code__.co_names:
        if name in names and not inspect.ismodule(names[name]):
            yield name, names[name]
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty:
            yield name, parameter.default


def _children(native: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(native, "named_children"):
        yield from native.named_children()
    layers: Any = getattr(native, "layers", None) or getattr(native, "_layers", ())
    for layer in layers:
        yield layer.name, layer
