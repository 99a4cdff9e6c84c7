"""Keras's h5 files: models and weights stored by layer name (Keras 2 and later), and .weights.h5, by class and number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.cells import CLASSES
from frameworks.files.keras.config import Config, Node, walk
from frameworks.files.keras.keras1 import cells_of, count_arrays, in_keras_2
from frameworks.files.keras.layers import CellWeights, Reading, RowWeights, Weights, read_layer
from frameworks.files.keras.paths import read_placed
from frameworks.files.keras.training import read_training
from frameworks.files.keras.version import Version, version_of
from frameworks.files.keras.weights_only import read_bare
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.h5 import H5File, read_h5
from frameworks.files.untrusted.json_text import read_json
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported
from frameworks.kinds import KERAS

Layers = list[StoredLayer | OtherLayer]


def read(source: Source, given: GivenOptions, architecture: Config | None) -> Layers:
    """Read an h5 file that Keras wrote.

    Args:
        source: the file.
        given: the user's options.
        architecture: the user's JSON, which overrides the architecture in the file; None for no override.

    Raises:
        GatewiseError: for a damaged file, or one that Keras did not write.
    """
    return read_described(source, given, architecture)[0]


def read_described(source: Source, given: GivenOptions, architecture: Config | None) -> tuple[Layers, Architecture | None]:
    """Read an h5 file that Keras wrote, and return its architecture, too; None if it holds weights alone. See `read`."""
    file = read_h5(source)
    root = "model_weights" if "model_weights" in file.groups else ""
    if "layer_names" in file.groups[root]:
        return _read_by_name(file, root, architecture, source.name, given)
    if any("/vars/" in f"/{path}" for path in file.arrays):
        version = version_of(architecture)
        layers = read_placed(file, architecture, Reading(source.name, version, given))
        return layers, Architecture(architecture, version, source.name) if architecture is not None else None
    raise InvalidValueError.because(
        source.name,
        must="hold a Keras model or its weights",
        but="is an h5 file of another kind",
        remedy="Open a file that Keras saved: it has layer_names, or arrays in groups named vars.",
    )


def _read_by_name(
    file: H5File, root: str, architecture: Config | None, name: str, given: GivenOptions
) -> tuple[Layers, Architecture | None]:
    attributes = {**file.groups[""], **file.groups[root]}
    version = version_of(architecture)  # the meaning of some words in the architecture depends on it
    version = version if version.text else Version(_text(attributes.get("keras_version")))
    reading = Reading(name, version, given)
    if architecture is None and "model_config" in attributes:
        architecture = read_json(_text(attributes["model_config"]), f"the architecture in {name}")
    architecture = in_keras_2(architecture)
    named = {layer: dict(_weights_of(file, f"{root}/{layer}".strip("/"), name)) for layer in _names(attributes["layer_names"])}
    training = list(read_training(file.arrays, _compiled(attributes.get("training_config"), name)))
    if architecture is None:
        return [*read_bare(named, reading), *training], None
    layers = [
        *_read_nodes(walk(architecture, name, lambda *_: "", keras2=version.is_keras2), named, reading),
        *_read_top_level(file, root, named, name),
        *training,
    ]
    return layers, Architecture(architecture, version, name)


def _compiled(text: Any, file: str) -> Any:
    """Return the arguments of `compile`, whose optimizer Keras 2 stores as `optimizer_config`."""
    if not isinstance(text, str):
        return None
    config = read_json(text, f"the training configuration in {file}")
    return {"optimizer": config.get("optimizer_config", config.get("optimizer"))}


def _read_nodes(nodes: Sequence[Node], named: Mapping[str, Mapping[str, StoredArray]], reading: Reading) -> Layers:
    layers: Layers = []
    # Keras 1 stores the layers of the models in a Merge by themselves.
    nodes = [node if node.top in named else replace(node, top=node.name.rpartition("/")[2]) for node in nodes]
    tops = list(dict.fromkeys(node.top for node in nodes))
    for top in tops:
        within = [node for node in nodes if node.top == top]
        shares = _share_out(within, named.get(top, {}), reading.file)
        layers += [read_layer(node, _weights(dict(share)), reading) for node, share in zip(within, shares, strict=True)]
    for name in named:
        if name not in tops and named[name]:
            layers.append(OtherLayer(name, stored=named[name], warnings=("the architecture has no layer of this name.",)))
    return [layer for layer in layers if layer.name and KERAS.get(getattr(layer, "kind", "")).role != "input"]


def _weights(arrays: Mapping[str, StoredArray]) -> Weights:
    cells = cells_of(arrays)
    return CellWeights(list(cells.values())) if cells else RowWeights(arrays)


def _read_top_level(file: H5File, root: str, named: Mapping[str, Any], name: str) -> Layers:
    own = "top_level_model_weights"
    if f"{root}/{own}".strip("/") not in file.groups or own in named:
        return []
    arrays = dict(_weights_of(file, f"{root}/{own}".strip("/"), name))
    warning = "these arrays belong to the model itself, not to a layer."
    return [OtherLayer("", stored=arrays, warnings=(warning,))] if arrays else []


def _weights_of(file: H5File, group: str, name: str) -> Iterator[tuple[str, StoredArray]]:
    for weight in _names(file.groups.get(group, {}).get("weight_names", [])):
        path = f"{group}/{weight}"
        if path not in file.arrays:
            if path in file.unread:
                raise unsupported(name, f"has {file.unread[path]} at {path}")
            raise damaged(name, f"lacks the array {path}")
        yield weight, file.arrays[path]


def _share_out(nodes: Sequence[Node], arrays: Mapping[str, StoredArray], file: str) -> list[list[tuple[str, StoredArray]]]:
    """Return the arrays of each layer of an inner model. Keras wrote all trainable arrays before all others."""
    if len(nodes) == 1:
        return [list(arrays.items())]
    slots = [(index, slot) for index, node in enumerate(nodes) for slot in _slots(node)]
    ordered = [*(slot for slot in slots if slot[1]), *(slot for slot in slots if not slot[1])]
    shares: list[list[tuple[str, StoredArray]]] = [[] for _ in nodes]
    if len(ordered) == len(arrays):
        for (index, _), item in zip(ordered, arrays.items(), strict=True):
            shares[index].append(item)
        return shares
    own = [node.name.rpartition("/")[2] for node in nodes]
    for path, array in arrays.items():
        owners = [index for index, name in enumerate(own) if name in path.split("/")]
        if len(owners) != 1:
            raise damaged(file, f"has an array {path} that {len(owners)} layers of {nodes[0].top} could own")
        shares[owners[0]].append((path, array))
    return shares


def _slots(node: Node) -> list[bool]:
    """Return whether each array is trained, for the arrays that a config implies, in Keras's order."""
    arrays = KERAS.get(node.class_name).arrays_with(node.config)
    if arrays is not None:
        return [node.trainable and array.trained for array in arrays]
    return [node.trainable] * _count_cells(node.class_name, node.config)


def _count_cells(class_name: str, config: Mapping[str, Any]) -> int:
    """Count the arrays of all cells of a layer."""
    if class_name in CLASSES:
        return count_arrays(class_name, config) or (3 if config.get("use_bias", True) else 2)
    forward = config.get("layer")
    inner = [forward, config.get("backward_layer") or forward] if class_name == "Bidirectional" else [config.get("cell")]
    if class_name == "StackedRNNCells":
        inner = config.get("cells") or []
    entries = [entry for entry in inner if isinstance(entry, Mapping) and isinstance(entry.get("config"), Mapping)]
    return sum(_count_cells(str(entry.get("class_name")), entry["config"]) for entry in entries)


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
