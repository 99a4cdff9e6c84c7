"""The weights in this repository, read as if from a file."""

from __future__ import annotations

from typing import cast

from compare.report.studies.real_models.recorded import RecordedLayer
from frameworks.errors import InvalidValueError
from frameworks.files import StoredLayer
from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.config import Node
from frameworks.files.keras.layers import Reading, RowWeights, read_layer
from frameworks.files.keras.version import Version
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.source import in_memory


def read_kept(layer: RecordedLayer) -> StoredLayer:
    """Return a layer whose weights are in this repository as a layer read from a file.

    Raises:
        GatewiseError: if the weights are not in this repository.
    """
    if not layer.kept:
        raise InvalidValueError.because(
            f"the layer {layer.name}",
            must="have its weights in this repository",
            but="has none there, because they are too large",
            remedy="Read it from the original file: see compare.report.studies.real_models.files.",
        )
    arrays = {name: in_memory(array) for name, array in layer.weights.items()}
    if layer.origin == "keras":
        node = Node(layer.name, layer.class_name, layer.config, "", "", layer.name, trainable=True, wrappers=(), mask="")
        return cast("StoredLayer", read_layer(node, RowWeights(arrays), Reading(layer.name, Version("3"), GivenOptions())))
    named = {f"{layer.name}.{name}": array for name, array in arrays.items()}
    (stored,) = read_modules(named, GivenOptions(), {layer.name: layer.config})
    return cast("StoredLayer", stored)
