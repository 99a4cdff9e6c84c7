"""What feeds what in an architecture of any version of Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from frameworks.files.keras.config import Config, class_of, config_of
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.kinds import KERAS
from frameworks.models.graph import Call, Graph, Layer, Tensor


@dataclass(frozen=True, eq=False)
class Reading:
    """The context in which an architecture is read.

    Args:
        file: the file's name in messages.
        version: the version of Keras that wrote it.
        stored: the layers with their weights, by the names of the models around each and its own, joined by slashes.
        prefix: the names of the models around, each with a slash.
    """

    file: str
    version: Version
    stored: Mapping[str, StoredLayer | OtherLayer]
    prefix: str = ""


def read_model(entry: Config, reading: Reading) -> Graph:
    """Return the graph of a serialised model: class_name and config."""
    kind, config = class_of(entry, reading.file), config_of(entry, reading.file)
    layers = {each.name: each for each in (_layer(one, reading) for one in config["layers"])}
    name, version = str(config.get("name", "model")), reading.version.numbers
    if "input_layers" not in config:
        return _chained(Graph(name, kind, layers, (), (), (), version=version, source=reading.file))
    raise NotImplementedError("functional models")


def _layer(entry: Any, reading: Reading) -> Layer:
    kind, config = class_of(entry, reading.file), config_of(entry, reading.file)
    name = str(config.get("name", entry.get("name", kind)))
    graph = None
    if KERAS.get(kind).role == "model":
        graph = read_model(entry, replace(reading, prefix=f"{reading.prefix}{name}/"))
    return Layer(name, kind, config, reading.stored.get(f"{reading.prefix}{name}"), graph=graph)


def _chained(graph: Graph) -> Graph:
    first = next(iter(graph.layers.values()))
    read = Tensor(first.name if first.kind == "InputLayer" else "input")
    shape = first.config.get("batch_shape") or first.config.get("batch_input_shape")
    shapes = {read: tuple(shape)} if shape else {}
    calls, last = [], read
    for layer in graph.layers.values():
        if layer.kind != "InputLayer":
            calls.append(Call(layer.name, args=(last,), masks=(None,)))
            last = Tensor(layer.name)
    return replace(graph, calls=tuple(calls), inputs=(read,), outputs=(last,), shapes=shapes)
