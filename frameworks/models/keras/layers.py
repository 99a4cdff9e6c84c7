"""One layer of a graph as a layer of today's Keras, without weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from frameworks.counterparts import LAYER_NAMES
from frameworks.files.building.hard_sigmoids import FACTOR, acts_on_state, scaled_gates
from frameworks.files.keras.config import class_of, config_of
from frameworks.files.keras.version import Version
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.models.graph import Graph, Layer
from frameworks.models.keras.options import RENAMED, Arguments, construct, refused, stated_remarks
from frameworks.models.keras.weights import on_the_state

Entry = Mapping[str, Any]

_OLD_SLOPE = "its hard_sigmoid is Keras 2's, clip(0.2 x + 0.5)"


@dataclass
class Made:
    """A layer of today's Keras.

    Args:
        native: the layer.
        core: the layer inside its wrappers, which has the weights.
        hard_sigmoids: the options of `core` that were Keras 2's hard_sigmoid.
        rescaled: whether its input must be multiplied by `FACTOR` first.
        remarks: what is different in today's layer.
    """

    native: Any
    core: Any
    hard_sigmoids: tuple[str, ...] = ()
    rescaled: bool = False
    remarks: list[str] = field(default_factory=list)


def make(layer: Layer, name: str, graph: Graph, nested: Any = None) -> Made:
    """Build a layer of today's Keras from its options.

    Args:
        layer: the layer.
        name: its name in today's Keras.
        graph: its graph.
        nested: the nested model in today's Keras that it applies, if it is a wrapper of one.

    Raises:
        NoCounterpartError: for a layer that Keras 3 lacks.
    """
    version, where = Version(".".join(map(str, graph.version))), f"the layer {layer.name} of {graph.source}"
    if layer.gap:
        raise refused(where, must="be one of Keras's layers", but=layer.gap)
    if layer.inner is not None:
        own = config_of(layer.config.get("layer"), graph.source).get("name", layer.name)
        within = Made(nested, nested) if nested is not None else make(layer.inner, str(own).replace("/", "_"), graph)
        native, _ = construct(layer.kind, layer.config, version, where, layer=within.native, name=name)
        return Made(native, within.core, within.hard_sigmoids, within.rescaled, within.remarks)
    making = _Making(layer, version, where, graph.source)
    if layer.kind == "Bidirectional":
        native = making.both(name)
    elif layer.kind == "RNN":
        native = making.over_cells(layer.config, 0, name=name)
    else:
        native = making.plain(name)
    made = Made(native, native, tuple(making.hard_sigmoids), remarks=[*making.remarks, *_of_recurrent(layer, where)])
    made.rescaled = layer.kind == "Activation" and bool(made.hard_sigmoids)
    made.remarks += _of_scaling(layer, made)
    return made


class _Making:
    """Makes one layer and what it runs."""

    def __init__(self, layer: Layer, version: Version, where: str, file: str) -> None:
        self.layer, self.version, self.where, self.file = layer, version, where, file
        self.stored = layer.stored if isinstance(layer.stored, StoredLayer) else None
        self.hard_sigmoids: list[str] = []
        self.remarks: list[str] = []

    def plain(self, name: str) -> Any:
        """Build a layer that runs no other one."""
        layer, kind = self.layer, self.layer.kind
        if self.stored is not None and not hasattr(keras.layers, RENAMED.get(kind, kind)):  # a class that the user vouches for
            kind = LAYER_NAMES["keras"][self.stored.cells[0][0].spec.cell]
        return self._built(kind, layer.config, self._stated(0, 0), name=name)

    def both(self, name: str) -> Any:
        """Build a Bidirectional and the layers of its directions."""
        config = self.layer.config
        forward = self._run(config.get("layer"), 0)
        given = config.get("backward_layer")
        if given is None and forward.go_backwards:  # Keras 3 makes the layer of the other direction go backwards, too
            given = {**config["layer"], "config": {**config_of(config["layer"], self.file), "go_backwards": False}}
        backward = self._run(given, 1) if given is not None else None
        return self._built("Bidirectional", config, {"layer": forward, "backward_layer": backward}, name=name)

    def over_cells(self, config: Entry, direction: int, **changed: Any) -> Any:
        """Build an RNN and its cells."""
        cell = config.get("cell")
        if class_of(cell, self.file) == "StackedRNNCells":
            entries = config_of(cell, self.file)["cells"]
            cells: Any = [self._cell(each, at, direction) for at, each in enumerate(entries)]
        else:
            cells = self._cell(cell, 0, direction)
        return self._built("RNN", config, {"cell": cells, **changed})

    def _run(self, entry: Any, direction: int) -> Any:
        kind, config = class_of(entry, self.file), config_of(entry, self.file)
        name = str(config.get("name", kind.lower())).replace("/", "_")
        if kind == "RNN":
            return self.over_cells(config, direction, name=name)
        return self._built(kind, config, self._stated(0, direction), name=name)

    def _cell(self, entry: Any, at: int, direction: int) -> Any:
        kind, config = class_of(entry, self.file), config_of(entry, self.file)
        return self._built(kind, config, self._stated(at, direction))

    def _built(self, kind: str, config: Entry, stated: Mapping[str, Any], **changed: Any) -> Any:
        native, arguments = construct(kind, config, self.version, self.where, **stated, **changed)
        self._note(arguments)
        return native

    def _note(self, arguments: Arguments) -> None:
        self.hard_sigmoids += [each for each in arguments.hard_sigmoids if each not in self.hard_sigmoids]
        self.remarks += [each for each in arguments.remarks if each not in self.remarks]

    def _stated(self, at: int, direction: int) -> dict[str, Any]:
        """Return the options of a cell as they were read: its weights show some of them, and the user may state others."""
        if self.stored is None:
            return {}
        spec = self.stored.cells[at][direction].spec
        named = {name: value for name, value in spec.cell_options.items() if "(" not in str(value)}
        self.hard_sigmoids += [name for name, value in named.items() if value == "keras2_hard_sigmoid"]
        renamed = {name: "hard_sigmoid" if value == "keras2_hard_sigmoid" else value for name, value in named.items()}
        return {"units": spec.hidden_size, "use_bias": spec.bias, **renamed}


def _cells(layer: Layer) -> Iterator[StoredCell]:
    if isinstance(layer.stored, StoredLayer):
        for row in layer.stored.cells:
            yield from row


def _of_recurrent(layer: Layer, where: str) -> Iterator[str]:
    """Yield remarks about a recurrent layer."""
    if layer.kind in RENAMED:
        yield f"{layer.kind} is gone from Keras 3: {RENAMED[layer.kind]} computes the same from its converted weights"
    if any(map(acts_on_state, _cells(layer))):
        raise on_the_state(where)


def _of_scaling(layer: Layer, made: Made) -> Iterator[str]:
    """Yield what the slope of today's hard_sigmoid makes necessary, and what it means for training."""
    if not made.hard_sigmoids:
        return
    if made.rescaled:
        yield f"{_OLD_SLOPE}: a Rescaling({FACTOR}) before it makes it of Keras 3's, clip(x / 6 + 0.5)"
        return
    gates = sorted({gate for cell in _cells(layer) for gate in scaled_gates(cell)})
    only = f" of {' and '.join(gates)}" if gates and "activation" not in made.hard_sigmoids else ""
    yield (
        f"{_OLD_SLOPE}; Keras 3's, clip(x / 6 + 0.5), is the same of {FACTOR} x, so its kernels and biases{only} are written"
        f" {FACTOR} times as large. Results are the same; in further training a step of the same size changes them less"
    )
    stated = sorted(set(_regularised(layer.config)))
    if stated:
        yield f"in further training, its {' and '.join(stated)} act on the {FACTOR} times larger arrays"


def _regularised(config: Entry) -> Iterator[str]:
    yield from stated_remarks(config)
    for name in ("layer", "backward_layer", "cell"):
        inner = config.get(name)
        if isinstance(inner, Mapping) and isinstance(inner.get("config"), Mapping):
            yield from _regularised(inner["config"])
    for each in config.get("cells") or ():
        if isinstance(each, Mapping) and isinstance(each.get("config"), Mapping):
            yield from _regularised(each["config"])
