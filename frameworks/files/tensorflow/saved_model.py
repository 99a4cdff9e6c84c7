"""SavedModel folders that Keras 2 wrote, as `model.save(folder)` did by default.

The metadata state the architecture, and the graph of objects in the checkpoint states which arrays a layer has. No code of the
folder is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.config import Config, walk
from frameworks.files.keras.layers import Reading, RowWeights, read_layer
from frameworks.files.keras.training import read_training
from frameworks.files.keras.version import Version, version_of
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.tensorflow.metadata import Metadata, read_metadata
from frameworks.files.tensorflow.objects import GRAPH, ROOT, VARIABLE, Objects
from frameworks.files.untrusted.folders import open_within
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported
from frameworks.files.untrusted.tensor_bundle import Bundle, read_bundle
from frameworks.kinds import KERAS

Layers = list[StoredLayer | OtherLayer]
VARIABLES = "variables/variables"
_OPTIMIZER, _SLOT = "optimizer/", "/.OPTIMIZER_SLOT/"
_OF_TRAINING = (_OPTIMIZER, "keras_api/")
_OWN, _NOWHERE = "keras_api", "?"
_OWN_CLASS = "its model is a class of its own: what feeds the layer, and with which mask, is in code that is not in the folder."


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What the reader needs of a folder.

    Args:
        name: the folder's name in messages.
        bundle: the arrays.
        objects: the objects of the model.
        metadata: what Keras wrote of each object.
    """

    name: str
    bundle: Bundle
    objects: Objects
    metadata: Metadata

    def layers_of(self, number: int) -> dict[str, str]:
        """Return the paths of a model's layers from the model, by name, in order: by number, or else all that it holds."""
        places = {place: child for place, child in self.objects.children(number).items() if place.startswith("layer-")}
        return {
            str(self.metadata[child].get("name", place)): place
            for place, child in (places or dict(self._held(number))).items()
            if child in self.metadata
        }

    def _held(self, number: int) -> Iterator[tuple[str, int]]:
        """Yield the layers that an object holds, also in lists and mappings, each with a path to it."""
        seen, waiting = {number}, [("", number)]
        while waiting:
            path, current = waiting.pop()
            if path and current in self.metadata:
                yield path, current
                continue
            found = [(attribute, child) for attribute, child in self.objects.children(current).items() if child not in seen]
            seen |= {child for _, child in found}
            waiting += [(f"{path}/{attribute}".lstrip("/"), child) for attribute, child in reversed(found) if attribute != _OWN]

    def path(self, parent: str, _class_name: str, _number: int, name: str) -> str:
        """Return the path of a layer in the graph of objects; see `Locate`."""
        model = self.objects.at(parent)
        place = None if model is None else self.layers_of(model).get(name)
        return f"{parent}/{place or _NOWHERE}".lstrip("/")

    def arrays(self, keys: Mapping[str, str]) -> dict[str, StoredArray]:
        """Return arrays by their names in the model.

        Args:
            keys: their names in the model by their names in the checkpoint.

        Raises:
            GatewiseError: for a missing array, and for one of an unknown form.
        """
        found = {}
        for key, name in keys.items():
            if key in self.bundle.unread:
                raise unsupported(self.name, f"has {self.bundle.unread[key]} at {key}")
            if key not in self.bundle.arrays:
                raise damaged(self.name, f"lacks the array {key.removesuffix(VARIABLE)}, which is {name or 'a variable'}")
            found[f"{name}:0" if name and f"{name}:0" not in found else key] = self.bundle.arrays[key]
        return found


def read(source: Source, given: GivenOptions, architecture: Config | None) -> Layers:
    """Read a SavedModel that Keras 2 wrote.

    Args:
        source: the saved_model.pb, whose folder has the other files.
        given: the user's options.
        architecture: the user's JSON, which overrides the architecture in the folder; None for no override.

    Raises:
        GatewiseError: for a damaged folder, and for a SavedModel that Keras 2 did not write.
    """
    return read_described(source, given, architecture)[0]


def read_described(source: Source, given: GivenOptions, architecture: Config | None) -> tuple[Layers, Architecture | None]:
    """Read a SavedModel, and return its architecture, too; None for a model that is a class of its own. See `read`."""
    model = _open(source)
    described = architecture or _architecture(model.metadata[ROOT])
    version = _version(model, architecture)
    nodes = walk(described or _listed(model), source.name, model.path, keras2=version.is_keras2)
    reading = Reading(source.name, version, given)
    layers, used = [], set[str]()
    for node in nodes:
        number = model.objects.at(node.place)
        keys = {} if number is None else model.objects.variables(number)
        used |= keys.keys()
        if KERAS.get(node.class_name).role != "input":
            layer = read_layer(node, RowWeights(model.arrays(keys)), reading)
            layers.append(layer if described else replace(layer, warnings=(*layer.warnings, _OWN_CLASS)))
    found = None if described is None else Architecture(described, version, source.name)
    return [*layers, *_left(model, used), *_training(model)], found


def _version(model: SavedModel, architecture: Config | None) -> Version:
    return version_of(architecture or {"keras_version": model.metadata[ROOT].get("keras_version")})


def _open(source: Source) -> SavedModel:
    folder = source.folder or Path()
    index = open_within(folder, f"{VARIABLES}.index")
    bundle = read_bundle(index, lambda ending: open_within(folder, f"{VARIABLES}{ending}"))
    metadata: Metadata = {}
    if GRAPH in bundle.texts:
        objects = Objects(bundle.texts[GRAPH])
        metadata = read_metadata(folder, source, objects)
    if ROOT not in metadata:
        raise InvalidValueError.because(
            source.name,
            must="hold a model that Keras 2 saved",
            but="has no metadata of Keras, neither in keras_metadata.pb nor in saved_model.pb: another program wrote it, such"
            " as plain TensorFlow or `model.export` of Keras 3, or the file is missing",
            remedy=f"If the model has a Keras file, open that. Otherwise open its weights, {folder / VARIABLES}.index.",
        )
    return SavedModel(source.name, bundle, objects, metadata)


def _architecture(root: Mapping[str, Any]) -> Config | None:
    """Return the architecture of a model; None for one that is a class of its own."""
    for entry in (root.get("model_config"), root):
        config = entry.get("config") if isinstance(entry, Mapping) else None
        if isinstance(config, list) or (isinstance(config, Mapping) and isinstance(config.get("layers"), list)):
            return entry
    return None


def _listed(model: SavedModel) -> Config:
    """Return an architecture without wiring: the layers that a model holds as attributes."""
    entries: list[Config] = [
        {"class_name": stated.get("class_name"), "config": {"name": name, **stated["config"]}, "inbound_nodes": []}
        for name, place in model.layers_of(ROOT).items()
        for stated in [model.metadata[model.objects.at(place) or ROOT]]
        if isinstance(stated.get("config"), Mapping)
    ]
    return {"class_name": str(model.metadata[ROOT].get("class_name")), "config": {"layers": entries}}


def _left(model: SavedModel, used: set[str]) -> Sequence[OtherLayer]:
    """Return an entry for the arrays that belong to the model itself, or to no layer of the architecture."""
    of_training = {key for key in model.bundle.arrays if key.startswith(_OF_TRAINING) or _SLOT in key}
    left = {key: name for key, name in model.objects.variables(ROOT).items() if key not in used | of_training}
    warning = "these arrays belong to no layer of the architecture."
    return [OtherLayer("", stored=model.arrays(left), warnings=(warning,))] if left else []


def _training(model: SavedModel) -> Sequence[OtherLayer]:
    slots = [key for key in model.bundle.arrays if key.startswith(_OPTIMIZER) or _SLOT in key]
    compiled = model.metadata[ROOT].get("training_config")
    optimizer = compiled.get("optimizer_config") if isinstance(compiled, Mapping) else None
    return list(read_training({f"optimizer/{key}": model.bundle.arrays[key] for key in slots}, {"optimizer": optimizer}))
