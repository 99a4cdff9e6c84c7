"""A class of the source: the layers, weights and methods that one module has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.layer import Array, KerasLayer, array_of
from frameworks.models.keras_source.modules import LAYERLESS
from frameworks.models.keras_source.names import LAYER_ATTRIBUTES
from frameworks.models.pytorch.names import Names
from frameworks.models.tracing.tracing import Trace

_CONTAINERS = ("ModuleList", "Sequential", "ModuleDict")


@dataclass(eq=False)
class Entry:
    """What an attribute of a class, or an item of one, holds.

    Args:
        made: a layer, or the class of a module inside; None as long as it has not been called.
    """

    made: KerasLayer | Unit | None = None


Attribute: TypeAlias = "Entry | dict[str, Entry]"
"""What an attribute holds; the entries of a list or dict by the names of the modules in it."""


@dataclass(frozen=True, eq=False)
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

    Attributes:
        attributes: what the class holds, by attribute.
        dicts: the attributes that are dicts; others with several entries are lists.
        weights: the weights that it holds itself, by the parameter's path.
        methods: the lines of its methods, by the methods' names in the module.
        written: the calls that they were written from.
        chained: by the path of a module: that of the Sequential that it is a layer of, and the layer.
        name: the name of the class, once it is given.
        places: by path: the attribute, and the key in it.
    """

    trace: Trace
    path: str
    units: dict[str, Unit]
    used: list[str]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    dicts: set[str] = field(default_factory=set)
    weights: dict[str, Weight] = field(default_factory=dict)
    methods: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    chained: dict[str, tuple[str, KerasLayer]] = field(default_factory=dict)
    name: str = ""
    _names: Names = field(default_factory=lambda: Names(LAYER_ATTRIBUTES))
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    _given: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Enter the class among the others."""
        self.units[self.path] = self

    @property
    def module(self) -> Any:
        """The module."""
        return self.trace.module.get_submodule(self.path)

    def unit_of(self, path: str) -> Unit:
        """Return the class for a module, a new one at its first call."""
        return self.units.get(path) or Unit(self.trace, path, self.units, self.used)

    def method_name(self, name: str) -> str:
        """Return what a method is called in the source."""
        if name == "forward":
            return "call"
        if name not in self._given:
            self._given[name] = self._names.free(name)
        return self._given[name]

    def entries(self) -> Iterator[Entry]:
        """Yield all that the class holds."""
        for held in self.attributes.values():
            yield from [held] if isinstance(held, Entry) else held.values()

    # Layers and modules inside

    def layer(self, path: str, layer: KerasLayer, part: int | None = None, wish: str = "") -> str:
        """Return the expression for a layer, entering it at its first call.

        Args:
            path: the module's path.
            layer: the layer.
            part: which of several layers of the module it is; None for the only one.
            wish: the attribute of a layer that stands beside the module's own.
        """
        owner = self._owner(path)
        if wish:
            path = f"{path}+{wish}"
            if path not in owner.places:
                owner.places[path] = (owner.new_attribute(wish), "")
        elif part is not None:
            owner.place(path)
            path = owner.part_of(path, part)
        entry = owner.entry(path)
        entry.made = entry.made or layer
        return self._expression(owner, path)

    def new_layer(self, wish: str, layer: KerasLayer) -> str:
        """Enter a layer that the module has as a function, and return its expression."""
        name = self.new_attribute(wish)
        self.attributes[name] = Entry(layer)
        return f"self.{name}"

    def inside(self, path: str) -> str:
        """Return the expression for a module inside, whose class exists."""
        owner = self._owner(path)
        entry = owner.entry(path)
        entry.made = entry.made or self.units[path]
        return self._expression(owner, path)

    def inside_layer(self, path: str) -> str:
        """Return the expression for a layer that the class, or one inside, has."""
        return self._expression(self._owner(path), path)

    def holds(self, path: str) -> bool:
        """Return whether a path lies inside the module."""
        return not self.path or path.startswith(f"{self.path}.")

    def _owner(self, path: str) -> Unit:
        """Return the class whose attribute stands for a path: this one, or one inside."""
        around = [unit for unit in self.units.values() if unit.path != path and unit.holds(path)]
        return max(
            (unit for unit in around if unit is self or self.holds(unit.path)), key=lambda unit: len(unit.path), default=self
        )

    def _expression(self, owner: Unit, path: str) -> str:
        ahead = "self" if owner is self else self.inside(owner.path)
        attribute, key = owner.place(path)
        if not key:
            return f"{ahead}.{attribute}"
        if attribute in owner.dicts:
            return f'{ahead}.{attribute}["{key}"]'
        held: Any = owner.attributes[attribute]
        return f"{ahead}.{attribute}[{list(held).index(key)}]"

    def new_attribute(self, wish: str) -> str:
        """Return a new attribute, which holds nothing yet."""
        name = self._names.free(wish)
        self.attributes[name] = Entry()
        return name

    def place(self, path: str) -> tuple[str, str]:
        """Return the attribute for a path, and the key in it: ("fc", ""), ("blocks", "1")."""
        if path not in self.places:
            around, _, last = path.rpartition(".")
            holder = self.trace.module.get_submodule(around)
            if (
                around == self.path
                or type(holder).__name__ not in _CONTAINERS
                or _is_stack(self.trace.module.get_submodule(path))
            ):
                relative = path[len(self.path) + 1 :] if self.path else path
                self.places[path] = (self.new_attribute(relative.replace(".", "_")), "")
            else:
                self.places[path] = (self._container(around, holder), last)
        return self.places[path]

    def _container(self, path: str, holder: Any) -> str:
        """Return the attribute for a list or dict of modules, with an entry for each that is called and has a layer."""
        key = f"{path}.*"
        if key not in self.places:
            name = self.new_attribute((path[len(self.path) + 1 :] if self.path else path).replace(".", "_"))
            self.attributes[name] = {
                child: Entry() for child, each in holder.named_children() if self._has_layer(f"{path}.{child}", each)
            }
            if type(holder).__name__ == "ModuleDict":
                self.dicts.add(name)
            self.places[key] = (name, "")
        return self.places[key][0]

    def _has_layer(self, path: str, module: Any) -> bool:
        called = any(each == path or each.startswith(f"{path}.") for each in self.used)
        return called and type(module).__name__ not in LAYERLESS and not _is_stack(module)

    def part_of(self, path: str, part: int) -> str:
        """Return the path of one of several layers of a module, which are a list."""
        attribute, _ = self.place(path)
        held = self.attributes[attribute]
        if isinstance(held, Entry):
            held = self.attributes[attribute] = {}
        held.setdefault(str(part), Entry())
        self.places[f"{path}[{part}]"] = (attribute, str(part))
        return f"{path}[{part}]"

    def entry(self, path: str) -> Entry:
        """Return what the attribute for a path holds."""
        attribute, key = self.place(path)
        held = self.attributes[attribute]
        return held if isinstance(held, Entry) else held[key]

    # Weights

    def weight(self, path: str) -> str:
        """Return the expression for a parameter, which the class, or a layer of it, holds; in torch's order of axes."""
        around, _, name = path.rpartition(".")
        layer = self.layer_at(around)
        if layer is not None and name in layer.variables:
            attribute, turned = layer.variables[name]
            text = f"{self._expression(self._owner(around), around)}.{attribute}"
            return f"ops.transpose({text})" if turned else text
        if around != self.path and not self.holds(path):
            raise NoCounterpartError.because(
                f"the parameter {path}",
                must="be used in its own module, or in one around it",
                but=f"is used in {self.path}",
                remedy="Pass it as an argument.",
            )
        owner = self.units.get(around, self)
        ahead = "self" if owner is self else self.inside(owner.path)
        return f"{ahead}.{owner.own_weight(path, name).removeprefix('self.')}"

    def layer_at(self, path: str) -> KerasLayer | None:
        """Return the layer that a module became, its first one if it became several; None for a module without."""
        for unit in self.units.values():
            attribute, key = unit.places.get(path, ("", ""))
            held = unit.attributes.get(attribute)
            entry = held.get(key or "0") if isinstance(held, dict) else held
            if entry is not None:
                return entry.made if isinstance(entry.made, KerasLayer) else None
        return None

    def own_weight(self, path: str, wish: str) -> str:
        """Return the expression for a weight that the class holds, entering it at its first use."""
        if path not in self.weights:
            tensor = self.trace.parameter(path)
            self.weights[path] = Weight(self._names.free(wish), array_of(tensor), bool(tensor.requires_grad))
        return f"self.{self.weights[path].name}"

    def owner_of(self, parameter: Any, path: str) -> str | None:
        """Return the expression for a parameter that another layer has already, in torch's order of axes."""
        for other, module in self.trace.module.named_modules():
            if other == path or self.layer_at(other) is None:
                continue
            for name, each in module.named_parameters(recurse=False):
                if each is parameter:
                    return self.weight(f"{other}.{name}")
        return None


def _is_stack(module: Any) -> bool:
    """Return whether a module becomes several layers. Keras saves no list in a list, so they get an attribute of their own."""
    return getattr(module, "num_layers", 1) > 1
