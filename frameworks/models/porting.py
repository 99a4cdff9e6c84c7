"""`to_source` and `port_model`: a whole model in the other framework, as source or as a live model."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal

from frameworks.files.given_options import Options
from frameworks.models.pytorch.writing import write_module
from frameworks.models.reading import read_graph
from frameworks.models.source import Source
from frameworks.rows import FrameworkName

Padding = Literal["any", "end"]


def to_source(
    model: Any,
    to: FrameworkName | None = None,
    *,
    weights: str | PathLike[str] | None = None,
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
    example: Any = None,
    padding: Padding = "any",
) -> Source:
    """Return a whole model as readable source of the other framework, with its weights.

    Args:
        model: a Keras model, or the path of its file (.keras, .h5, .json with `weights`) or of its SavedModel folder.
        to: the framework of the source; None for the other one.
        weights: the file of weights, for a .json file.
        architecture: the JSON that Keras wrote for a file of weights, or its path.
        options: what the file does not state, by layer name; see `open_checkpoint`.
        example: the arguments of one call, for a torch module.
        padding: "any" is exact for every mask; "end" packs, and refuses a mask with a hole at run time.

    Raises:
        GatewiseError: for a model that cannot be read, and for an option that has no counterpart.
    """
    if to not in (None, "pytorch") or example is not None:
        raise NotImplementedError("sources for Keras")
    graph = read_graph(model, weights=weights, architecture=architecture, options=options)
    return write_module(graph, padding=padding)


def port_model(model: Any, to: FrameworkName | None = None, **arguments: Any) -> Any:
    """Return the model of `to_source`, with its weights, in inference mode; refuse gaps."""
    raise NotImplementedError((model, to, arguments))
