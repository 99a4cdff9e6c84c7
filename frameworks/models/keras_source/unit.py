"""A class of the source: the layers, weights and methods that one module has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.layer import Array, KerasLayer, array_of
from frameworks.models.keras_source.modules import LAYERLESS
from frameworks.models.keras_source.names import LAYER_ATTRIBUTES
from frameworks.models.pytorch.names import Names
from frameworks.models.tracing.tracing import Trace

CONTAINERS = (nn.ModuleList, nn.Sequential, nn.ModuleDict)


@dataclass
class Entry:
    """What an attribute of a class holds.

    Args:
        made: a layer, or the class of a module inside; None as long as it has not been called.
    """

    made: KerasLayer | Unit | None = None


@dataclass
class Weight:
    """A weight that a class itself holds."""

    name: str
    array: Array
    trainable: bool


@dataclass(eq=False)
class Unit:
    """A class for a module.

    Args:
        trace: what the whole module does.
        path: the module's path; "" for the whole one.
        units: the classes by path.
        used: the paths of the modules that are called.
    """

    trace: Trace
    path: str
    units: dict[str, Unit]
    used: list[str]
    attributes: dict[str, Entry | list[Entry] | dict[str, Entry]] = field(default_factory=dict)
    weights: dict[str, Weight] = field(default_factory=dict)
    methods: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    names: Names = field(default_factory=lambda: Names(LAYER_ATTRIBUTES))
    name: str = ""
    _places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Enter the class among the others."""
        self.units[self.path] = self

    @property
    def module(self) -> nn.Module:
        """The module."""
        return self.trace.module.get_submodule(self.path)

    def within(self, path: str) -> str:
        """Return a path relative to the module."""
        return path[len(self.path) + 1 :] if self.path else path

    def holds(self, path: str) -> bool:
        """Return whether a path lies in the module."""
        return not self.path or path.startswith(f"{self.path}.")

    # Layers and modules inside

    def layer(self, path: str, layer: KerasLayer, part: int | None, wish: str, step: Any) -> str:
        """Return the expression for a layer, entering it at its first call."""
        if wish:
            return self._once(f"{step.path}+{wish}", layer, wish)
        owner = self._owner(path)
        key = path if part is None else f"{path}[{part}]"
        if part is not None:
            parts = owner._parts(path)
            while len(parts) <= part:
                parts.append(Entry())
            parts[part].made = parts[part].made or layer
            return f"{self._expression(owner, path)}[{part}]"
        entry = owner._entry(key)
        entry.made = entry.made or layer
        return self._expression(owner, path)

    def _owner(self, path: str) -> Unit:
        """Return the class that holds what is at a path: this one, or one inside."""
        inside = [unit for unit in self.units.values() if unit.holds(path) and (unit is self or self.holds(unit.path))]
        return max(inside, key=lambda unit: len(unit.path), default=self)

    def _expression(self, owner: Unit, path: str) -> str:
        ahead = "self" if owner is self else self.inside(owner.path)
        return f"{ahead}.{owner._place(path)}"

    def inside(self, path: str) -> str:
        """Return the expression for a module inside, whose class exists."""
        around = [
            unit
            for unit in self.units.values()
            if unit.path != path and unit.holds(path) and (unit is self or self.holds(unit.path))
        ]
        owner = max(around, key=lambda unit: len(unit.path), default=self)
        entry = owner._entry(path)
        entry.made = entry.made or self.units[path]
        return self._expression(owner, path)

    def _place(self, path: str) -> str:
        """Return the attribute for a path: "fc", "blocks[1]", 'heads["a"]'."""
        if path not in self._places:
            self._places[path] = self._new_place(path)
        return self._places[path]

    def _new_place(self, path: str) -> str:
        relative = self.within(path)
        around, _, last = relative.rpartition(".")
        holder = self.module.get_submodule(around) if around else None
        if not isinstance(holder, CONTAINERS):
            name = self.names.free(relative.replace(".", "_"))
            self.attributes[name] = Entry()
            return name
        key = f"{path.rpartition('.')[0]}.*"
        if key not in self._places:
            self._places[key] = self.names.free(around.replace(".", "_"))
            siblings = [
                name for name, each in holder.named_children() if self._counts(f"{path.rpartition('.')[0]}.{name}", each)
            ]
            self.attributes[self._places[key]] = (
                {name: Entry() for name in siblings} if isinstance(holder, nn.ModuleDict) else [Entry() for _ in siblings]
            )
            self._siblings[key] = siblings
        place = repr(last).replace("'", '"') if isinstance(holder, nn.ModuleDict) else self._siblings[key].index(last)
        return f"{self._places[key]}[{place}]"

    _siblings: dict[str, list[str]] = field(default_factory=dict)

    def _counts(self, path: str, module: nn.Module) -> bool:
        return type(module).__name__ not in LAYERLESS and any(each == path or each.startswith(f"{path}.") for each in self.used)

    def _entry(self, path: str) -> Entry:
        found: Any = self.attributes
        name, _, key = self._place(path).rstrip("]").partition("[")
        found = found[name]
        if not key:
            assert isinstance(found, Entry)
            return found
        entry: Entry = found[key.strip('"')] if isinstance(found, dict) else found[int(key)]
        return entry

    def _parts(self, path: str) -> list[Entry]:
        """Return the list in which the layers of a stack are."""
        name = self._place(path)
        if "[" in name:
            raise NoCounterpartError.because(
                f"the module {path}",
                must="have one layer where a list holds it",
                but="is a stack of several",
                remedy="Give it an attribute of its own.",
            )
        held = self.attributes[name]
        if not isinstance(held, list):
            held = self.attributes[name] = []
        return held

    def new_layer(self, wish: str, layer: KerasLayer) -> str:
        """Enter a layer that the module has as a function, and return its expression."""
        name = self.names.free(wish)
        self.attributes[name] = Entry(layer)
        return f"self.{name}"

    def _once(self, key: str, layer: KerasLayer, wish: str) -> str:
        if key not in self._places:
            self._places[key] = self.names.free(wish)
            self.attributes[self._places[key]] = Entry(layer)
        return f"self.{self._places[key]}"

    # Weights

    def weight(self, path: str) -> str:
        """Return the expression for a parameter, which the class or a layer of it holds."""
        owner_path, _, name = path.rpartition(".")
        leaf = self._leaf(owner_path)
        if leaf is not None:
            attribute, turned = leaf.variables[name]
            text = f"{self._expression(self._owner(owner_path), owner_path)}.{attribute}"
            return f"ops.transpose({text})" if turned else text
        if not (self.path == owner_path or self.holds(f"{owner_path}.x")):
            raise NoCounterpartError.because(
                f"the parameter {path}",
                must="be used in its own module",
                but=f"is used in {self.path}",
                remedy="Pass it as an argument.",
            )
        owner = self.units.get(owner_path, self)
        ahead = "self" if owner is self else self.inside(owner.path)
        return f"{ahead}.{owner.own_weight(path, name).removeprefix('self.')}"

    def _leaf(self, path: str) -> KerasLayer | None:
        for unit in self.units.values():
            if path in unit._places and not (isinstance(unit.attributes.get(unit._places[path]), list)):
                made = unit._entry(path).made
                if isinstance(made, KerasLayer):
                    return made
        return None

    def own_weight(self, path: str, wish: str) -> str:
        """Return the expression for a weight that the class holds, entering it at its first use."""
        if path not in self.weights:
            tensor = self.trace.parameter(path)
            name = self.names.free(wish)
            self.weights[path] = Weight(name, array_of(tensor), bool(tensor.requires_grad))
        return f"self.{self.weights[path].name}"

    def owner_of(self, parameter: Any, path: str) -> str | None:
        """Return the expression for a parameter that another layer has already, in torch's order of axes."""
        for other, module in self.trace.module.named_modules():
            if other == path or self._leaf(other) is None:
                continue
            for name, each in module.named_parameters(recurse=False):
                if each is parameter:
                    return self.weight(f"{other}.{name}")
        return None


def snake(name: str) -> str:
    """Return the name that Keras gives to a class in a file: "LayerNormalization" gives "layer_normalization"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
