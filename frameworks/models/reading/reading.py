"""`read_graph`: the graph of a model, from whatever holds it."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.files.checkpoint import parsed_architecture
from frameworks.files.formats import find_format
from frameworks.files.given_options import GivenOptions, Options
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.keras1 import in_keras_2
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.folders import open_path
from frameworks.files.untrusted.h5_process import started_for
from frameworks.files.untrusted.source import damaged, unsupported
from frameworks.models.graph import Graph
from frameworks.models.reading.fitting import require_fitting
from frameworks.models.reading.live import is_live, read_live
from frameworks.models.reading.masks import with_masks
from frameworks.models.reading.possible import require_possible
from frameworks.models.reading.shapes import with_shapes
from frameworks.models.reading.wiring import Reading, read_model


class NoArchitectureError(InvalidValueError):
    """Raised for a file of weights alone, from which no graph can be read."""


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
    given = GivenOptions(options)
    if is_live(model):
        found, layers = read_live(model, given)
    elif isinstance(model, (str, PathLike)):
        found, layers = _read_file(Path(model), weights, architecture, given)
    else:
        raise InvalidTypeError.because(
            "the model",
            must="be a live Keras model or the path of its file",
            but=f"is a {type(model).__name__}",
            remedy="Pass the model itself, or the path of the .keras or .h5 file.",
        )
    given.check(layers)
    return graph_of(found, layers)


def graph_of(architecture: Architecture, layers: list[StoredLayer | OtherLayer]) -> Graph:
    """Return the graph of an architecture with its layers, which are in its order.

    Raises:
        GatewiseError: for an architecture that cannot be wired.
    """
    stored: dict[str, StoredLayer | OtherLayer] = {}
    for each in layers:
        stored.setdefault(each.name, each)
    subject = f"the architecture in {architecture.file}"
    try:
        model = in_keras_2(architecture.model)
        graph = read_model(model, Reading(architecture.file, architecture.version, stored))
        require_fitting(graph)
        graph = with_shapes(graph)
        require_possible(graph)
        return with_masks(graph)
    except RecursionError as error:
        raise unsupported(subject, "is nested too deep") from error
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
        if isinstance(error, InvalidValueError):
            raise
        raise damaged(subject, f"has a value of an unexpected kind ({type(error).__name__}: {str(error)[:200]})") from error


def _read_file(
    path: Path, weights: Any, architecture: Any, given: GivenOptions
) -> tuple[Architecture, list[StoredLayer | OtherLayer]]:
    if weights is not None and architecture is not None:
        raise InvalidValueError.because(
            "architecture", must="be left out beside weights", but="is given", remedy="Pass the JSON as the model."
        )
    if weights is not None:
        path, architecture = Path(weights), path
    described = None if architecture is None else parsed_architecture(architecture)
    with started_for(path):
        source = open_path(path)
        file_format = find_format(source)
        layers, found = file_format.read_described(source, given, described)
    if found is None:
        raise _without_architecture(path, file_format.name, takes_one=file_format.takes_architecture)
    return found, layers


def _without_architecture(path: Path, name: str, *, takes_one: bool) -> InvalidValueError:
    if not takes_one:
        return NoArchitectureError.because(
            path.name,
            must="hold a whole Keras model",
            but=f"is a {name} file, which holds no architecture",
            remedy="Pass a .keras or .h5 file that Keras saved, or port its layers one at a time with open_checkpoint.",
        )
    if name == "SavedModel":
        return NoArchitectureError.because(
            path.name,
            must="hold a whole model",
            but="holds one that is a class of its own: its code, which is not in it, calls the layers",
            remedy="Port its recurrent layers alone, to a .safetensors file, and write the rest after that code.",
        )
    return NoArchitectureError.because(
        path.name,
        must="hold an architecture",
        but="holds weights alone",
        remedy="Pass the JSON that model.to_json() returned as --architecture (in Python: architecture). Or port to a"
        " .weights.h5 file, build the model in Keras, and load it with model.load_weights.",
    )
