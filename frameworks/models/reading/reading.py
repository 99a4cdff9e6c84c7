"""`read_graph`: the graph of a model, from whatever holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.formats import find_format
from frameworks.files.given_options import GivenOptions, Options
from frameworks.files.keras.keras1 import in_keras_2
from frameworks.files.keras.version import Version, version_of
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.h5 import read_h5
from frameworks.files.untrusted.h5_process import started_for
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import open_source
from frameworks.models.graph import Graph
from frameworks.models.reading.masks import with_masks
from frameworks.models.reading.shapes import with_shapes
from frameworks.models.reading.wiring import Reading, read_model


class NoArchitectureError(InvalidValueError):
    """Raised for a file that holds weights alone."""


def read_graph(
    model: Any,
    *,
    weights: str | PathLike[str] | None = None,
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
) -> Graph:
    """Return the graph of a whole model.

    Args:
        model: a live Keras model, or the path of a file or folder that holds one.
        weights: the file of weights, where `model` is the JSON of an architecture.
        architecture: the JSON of the architecture, where `model` is a file of weights.
        options: what the file does not state, by layer name; see `open_checkpoint`.

    Raises:
        GatewiseError: for what holds no architecture, and for an architecture that cannot be wired.
    """
    path = Path(model)
    if weights is not None:
        model, architecture, path = weights, model, Path(weights)
    given = GivenOptions(options)
    config, version = _architecture(path, architecture)
    with started_for(path):
        source = open_source(path)
        layers = find_format(source).read(source, given, None if architecture is None else config)
    given.check(layers)
    stored: Mapping[str, StoredLayer | OtherLayer] = {each.name: each for each in layers}
    return with_masks(with_shapes(read_model(config, Reading(path.name, version, stored))))


def _architecture(path: Path, given: Any) -> tuple[Mapping[str, Any], Version]:
    """Return the architecture in a file; the helper that owns this module makes it a part of the readers in `files`."""
    if given is not None:
        config = given if isinstance(given, Mapping) else json.loads(Path(given).read_text())
        return config, version_of(config)
    source = open_source(path)
    if source.head(2) == b"PK":
        archive = Archive(source)
        version = read_json(archive.read("metadata.json", MAX_BYTES), path.name)["keras_version"]
        return read_json(archive.read("config.json", MAX_BYTES), path.name), Version(version)
    groups = read_h5(source).groups
    attributes = {**groups[""], **groups.get("model_weights", {})}
    if "model_config" not in attributes:
        raise NoArchitectureError.because(
            path.name, must="hold an architecture", but="holds weights alone", remedy="Pass its JSON as `architecture`."
        )
    config = in_keras_2(read_json(attributes["model_config"], path.name)) or {}
    version = version_of(config)
    return config, version if version.text else Version(str(attributes.get("keras_version", "")))
