"""A whole model, written as a file that today's Keras opens by itself."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.checkpoint import Checkpoint
from frameworks.files.writing.outcome import Written
from frameworks.files.writing.replacing import replacing
from frameworks.models.graph import Graph
from frameworks.models.keras.building import build
from frameworks.models.reading import read_graph
from frameworks.models.reading.reading import NoArchitectureError
from frameworks.registry import quiet_stderr


def save_model(path: str | PathLike[str], graph: Graph, *, force: bool = False) -> list[Written]:
    """Write a graph as a .keras file, which plain Keras 3 opens in safe mode.

    Args:
        path: the file to write.
        graph: the graph of a whole model.
        force: whether to replace an existing file.

    Returns:
        What became of the model, and of each layer.

    Raises:
        GatewiseError: for what Keras 3 cannot have, and for an existing file (see `force`).
    """
    with replacing(Path(path), force=force) as temporary:
        return _write(temporary, graph)


def write(path: Path, checkpoint: Checkpoint) -> list[Written]:
    """Write the whole model of a checkpoint whose file, or whose architecture, says how its layers are connected.

    Raises:
        GatewiseError: for a file without an architecture, and for what Keras 3 cannot have.
    """
    return _write(path, read_whole(checkpoint.path, **(checkpoint.given or {})))


def read_whole(path: str | PathLike[str], **given: Any) -> Graph:
    """Return the graph of the model in a file of Keras.

    Args:
        path: the file.
        **given: the architecture and the options, as `open_checkpoint` takes them.

    Raises:
        GatewiseError: for a file without an architecture.
    """
    try:
        return read_graph(path, **given)
    except NoArchitectureError as error:
        raise InvalidValueError.because(
            f"the architecture of {Path(path).name}",
            must="be known for a whole model in a .keras file",
            but="is neither in the file nor given",
            remedy="Pass the JSON that model.to_json() returned as --architecture (in Python: architecture). Or port to a"
            " .weights.h5 file, build the model in Keras, and load it with model.load_weights, which is exact.",
        ) from error


def _write(path: Path, graph: Graph) -> list[Written]:
    built = build(graph)
    with quiet_stderr():
        built.model.save(path)
    return list(built.written)
