"""Reading variables that are stored by class and number, in .keras and .weights.h5 files.

Keras stores all layers of a model in the group `layers`. Keras 2.12 and 2.13 store them as a dictionary that lists each layer
with weights twice, so that numbers are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from frameworks.files.keras.config import Config, Locate, numbered, snake, walk
from frameworks.files.keras.layers import OLD, Reading, read_layer
from frameworks.files.keras.training import is_of_training, is_optimizer, read_training
from frameworks.files.keras.weights_only import read_bare_paths
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.h5 import H5File
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS

Layers = list[StoredLayer | OtherLayer]


def read_placed(file: H5File, architecture: Config | None, reading: Reading) -> Layers:
    """Read a file whose variables are stored by class and number, with or without its architecture."""
    training = list(read_training(file.arrays, (architecture or {}).get("compile_config")))
    if is_optimizer(file.arrays):
        return [*training]
    if architecture is None or not _lists_layers(architecture):
        return [*read_bare_paths(file, replace(reading, describable=architecture is None)), *training]
    nodes = walk(architecture, reading.file, locator(file), keras2=reading.version.is_keras2)
    nodes = [node for node in nodes if KERAS.get(node.class_name).role != "input"]
    layers: Layers = [read_layer(node, PathWeights(file, node.place), reading) for node in nodes]
    places = [f"{node.place}/" for node in nodes]
    left = {
        path: array
        for path, array in file.arrays.items()
        if not any(path.startswith(place) for place in places) and not is_of_training(path)
    }
    if left:
        layers.append(OtherLayer("", stored=left, warnings=("these arrays belong to no layer of the architecture.",)))
    return [*layers, *training]


def locator(file: H5File) -> Locate:
    """Return the function that locates a layer in a file."""

    def locate(parent: str, class_name: str, number: int, _name: str) -> str:
        place = f"{parent}/" if parent else ""
        if f"{place}{OLD}" in file.groups and f"{place}layers" not in file.groups:
            return f"{place}{OLD}/{_ranked(file, f'{place}{OLD}', class_name, number)}"
        return f"{place}layers/{numbered(class_name, number)}"

    return locate


def _ranked(file: H5File, container: str, class_name: str, number: int) -> str:
    """Return the name of the `number`th group of a class."""
    name = snake(class_name)
    groups = [
        (int(rest or 0), group)
        for group in (path[len(container) + 1 :] for path in file.groups if path.startswith(f"{container}/"))
        for rest in [group.removeprefix(name).removeprefix("_")]
        if "/" not in group and group.startswith(name) and (rest.isdecimal() or not rest)
    ]
    return sorted(groups)[number][1] if number < len(groups) else numbered(class_name, number)


def _lists_layers(architecture: Config) -> bool:
    config = architecture.get("config")
    return isinstance(config, list) or (isinstance(config, Mapping) and "layers" in config)


@dataclass(frozen=True)
class PathWeights:
    """The arrays of a layer, by the path of attributes to each."""

    file: H5File
    place: str

    def of_cell(self, place: str, count: int) -> Sequence[StoredArray]:  # noqa: ARG002  the file determines the number
        """Return the arrays of the cell at a place in the layer."""
        return list(self.file.below(f"{self.place}/{place}/vars").values())

    def all(self) -> Mapping[str, StoredArray]:
        """Return all arrays, by their paths in the layer."""
        return self.file.below(self.place)
