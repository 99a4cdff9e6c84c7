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
from frameworks.files.keras.version import Version, version_of
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.folders import open_path
from frameworks.files.untrusted.h5_process import started_for
from frameworks.models.graph import Graph
from frameworks.models.reading.masks import with_masks
from frameworks.models.reading.shapes import with_shapes
from frameworks.models.reading.wiring import Reading, read_model


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
        source = open_path(path)
        layers = find_format(source).read(source, given, None if architecture is None else config)
    given.check(layers)
    stored: Mapping[str, StoredLayer | OtherLayer] = {each.name: each for each in layers}
    return with_masks(with_shapes(read_model(config, Reading(path.name, version, stored))))


def _architecture(path: Path, given: Any) -> tuple[Mapping[str, Any], Version]:
    """Return the architecture of a model, and the version of Keras that wrote it."""
    if given is not None:
        config = given if isinstance(given, Mapping) else json.loads(Path(given).read_text())
        return config, version_of(config)
    source = open_path(path)
    stated = find_format(source).read_architecture(source)
    if stated is None:
        raise InvalidValueError.because(
            path.name, must="hold an architecture", but="holds weights alone", remedy="Pass its JSON as `architecture`."
        )
    return stated.model, stated.version
