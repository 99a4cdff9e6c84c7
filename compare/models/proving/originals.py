"""The model that a port is compared with: the user's own, or what the framework that wrote a file makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from compare.models.recording.keras_calls import library_of
from compare.models.recording.recording import framework_of
from frameworks.models.graph import Graph
from frameworks.registry import load, quiet_stderr


@dataclass(frozen=True, eq=False)
class Original:
    """The model that a port is compared with.

    Args:
        model: the model; None if it cannot be had.
        by: what computes it: "Keras 3.15.1", "tf_keras 2.21.0".
        why_not: why there is no model.
        missing: the package whose installation would give one, or "".
    """

    model: Any = None
    by: str = ""
    why_not: str = ""
    missing: str = ""


def find_original(model: Any, graph: Graph, weights: Any = None, architecture: Any = None) -> Original:
    """Return the original of a port, without running any code that a file holds.

    Args:
        model: a live model, or the path of a file.
        graph: its graph.
        weights: the file of weights for an architecture.
        architecture: the architecture for a file of weights.
    """
    if not isinstance(model, (str, Path)):
        return Original(model, _named(model))
    if named := [layer for layer in graph.all_layers() if layer.kind == "Lambda" or "__lambda__" in repr(layer.config)]:
        return Original(why_not=f"the layer {named[0].name!r} holds code, which is not run")
    name = "keras" if graph.version >= (3,) else "tf_keras"
    try:
        library = _imported(name)
    except ImportError:
        return Original(why_not=f"{name} is not installed", missing=name)
    with quiet_stderr():
        by = f"{'Keras' if name == 'keras' else name} {library.__version__}"
        try:
            return Original(_loaded(library, Path(model), weights, architecture), by)
        except Exception as error:  # noqa: BLE001  whatever a framework raises
            return Original(why_not=f"{by} does not open it: {_first_sentence(error)}")


def _imported(name: str) -> Any:
    if name == "keras":
        load("keras")
    with quiet_stderr():
        return import_module(name)


def _loaded(library: Any, path: Path, weights: Any, architecture: Any) -> Any:
    if weights is not None or architecture is not None:
        described, arrays = (path, Path(weights)) if weights is not None else (architecture, path)
        text = json.dumps(described) if isinstance(described, dict) else Path(described).read_text(encoding="utf-8")
        model = library.models.model_from_json(text)
        model.load_weights(arrays)
        return model
    return library.models.load_model(path, compile=False, safe_mode=True)


def _first_sentence(error: Exception) -> str:
    """Return the first sentence of an error of Keras, or of the error inside that it quotes."""
    text = str(error).rpartition("Exception encountered:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].partition(". ")[0].removesuffix(".")[:200]


def _named(model: Any) -> str:
    if framework_of(model) == "pytorch":
        return f"PyTorch {import_module('torch').__version__}"
    library = library_of(model)
    return f"{'Keras' if library.__name__ == 'keras' else library.__name__} {library.__version__}"
