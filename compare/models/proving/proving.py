"""`prove`: a port of a whole model compared with the model, or where nothing opens that, with its layers one by one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from compare.models.proving.calls import Both
from compare.models.proving.gaps import assumed_shapes, cut_at_gaps, filled, opened, results_in, with_gaps, with_shapes_of_gaps
from compare.models.proving.layers import against_reference, layers_of
from compare.models.proving.modules import prove_module
from compare.models.proving.originals import Original, find_original
from compare.models.proving.proof import Proof, ProvenCall
from compare.models.recording.recorded import Recording
from frameworks import __version__
from frameworks.errors import GatewiseError, MissingFrameworkError
from frameworks.files.given_options import Options
from frameworks.models.graph import Graph
from frameworks.models.reading import read_graph
from frameworks.models.source import Gap
from frameworks.registry import load
from frameworks.rows import owner_of

_WIRING = (
    "the wiring: which results each layer reads, with which mask, was read from the model once, for the port and for what it"
    " was compared with"
)
_TRAINING = "training: both were called in inference, and dropout is not active there"


@dataclass(frozen=True, eq=False)
class Port:
    """A port to be proven.

    Args:
        module: the torch module.
        name: what it is called in the result.
        gaps: the gaps of its source.
    """

    module: Any
    name: str
    gaps: Sequence[Gap] = ()


def prove(
    model: Any,
    port: Any,
    inputs: Any = None,
    *,
    weights: Any = None,
    architecture: Any = None,
    options: Options | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> Proof:
    """Compare a port with its model, layer by layer and as a whole.

    The model is the user's own, or what the framework that wrote the file makes of it: Keras, or tf_keras before Keras 3. If
    that does not open the file, each layer is compared with a layer of today's Keras, and recurrent ones with the reference.

    Args:
        model: a live model, or the path of a file or folder.
        port: the torch module, or a `Port`, which names it and its gaps.
        inputs: arrays by position or by the names of the inputs; drawn when None.
        weights: as in `to_source`.
        architecture: as in `to_source`.
        options: as in `to_source`.
        tolerance: as in `compare_models`.
        seed: draws the inputs.

    Raises:
        GatewiseError: for a model that cannot be read, and for inputs that it does not accept.
    """
    if not isinstance(port, Port):
        port = Port(port, type(port).__name__)
    owner = None if isinstance(model, (str, Path)) else owner_of(model)
    if owner is not None and owner.name == "pytorch":
        found = prove_module(Proof(type(model).__name__, port.name, tolerance=tolerance), model, port.module, inputs, seed=seed)
        return replace(found, versions=_versions())
    graph = read_graph(model, weights=weights, architecture=architecture, options=options)
    graph = with_gaps(graph, port.gaps)
    gaps = tuple(layer.name for layer in graph.gaps)
    proof = Proof(graph.source or graph.name, port.name, gaps=gaps, tolerance=tolerance)
    original = find_original(model, graph, weights, architecture)
    if original.model is not None:
        left: set[str] = set()

        def fill(found: Recording) -> AbstractContextManager[None]:
            return filled(port.module, port.gaps, results_in(found, port.gaps), left)

        both = Both(original.model, port.module, graph, fill, tolerance, seed, left)
        return _finished(replace(proof, against=original.by, whole=True), both, graph, inputs)
    proof = replace(proof, missing=original.missing, versions=_versions())
    try:
        both = _layer_by_layer(port, graph, tolerance, seed)
    except MissingFrameworkError:
        return replace(proof, open=(f"everything: {original.why_not}, and Keras 3 is not installed",), missing="keras")
    except GatewiseError as error:
        return replace(proof, open=(f"everything: {original.why_not}; {error}",))
    by = f"Keras {import_module('keras').__version__}"
    return _finished(replace(proof, against=by), both, graph, inputs, original)


def unproven(model: str, port: str, missing: str) -> Proof:
    """Return the proof of a port that cannot be run, because a framework is not installed."""
    return Proof(model, port, open=(f"everything: {missing} is not installed",), missing=missing, versions=_versions())


def _layer_by_layer(port: Port, graph: Graph, tolerance: float | None, seed: int) -> Both:
    """Return the layers of a graph in today's Keras, wired as the graph says, with the port.

    Raises:
        GatewiseError: for layers that today's Keras does not have.
    """
    load("keras")
    build = import_module("frameworks.models.keras").build_keras
    for known in (with_shapes_of_gaps(graph), graph) if graph.gaps else (graph,):
        whole = cut_at_gaps(known)
        try:
            model = build(whole)
        except (GatewiseError, ValueError):  # of Keras, for a shape that the layers after a gap do not read
            if known is graph:
                raise
            continue
        break

    def fill(_: Recording) -> AbstractContextManager[None]:
        return opened(port.module, port.gaps, known) if graph.gaps else nullcontext()

    left = {layer.name for layer in graph.gaps}
    assumed = tuple(
        f"the shape of what {tensor.layer} returns, {shape}, which is not stated: that of what it reads was assumed"
        for tensor, shape in (assumed_shapes(graph) if known is not graph else {}).items()
    )
    return Both(model, port.module, whole, fill, tolerance, seed, left, assumed)


def _finished(proof: Proof, both: Both, graph: Graph, inputs: Any, original: Original | None = None) -> Proof:
    calls: list[ProvenCall] = []
    recordings: list[Recording] = []
    for call, recording in both.calls(inputs):
        calls.append(call)
        recordings.append(recording)
    reference = {} if original is None else against_reference(graph, recordings)
    layers = tuple(layers_of(graph, both.graph, calls, proof.against, reference))
    wrong = (
        *both.failures,
        *(
            f"{each.layer}: {proof.against} differs from the reference by {each.reference_error:.2g}"
            for each in layers
            if each.reference_error is not None and each.reference_error > reference[each.layer].allowed
        ),
    )
    gaps = tuple(name for name in proof.gaps if name in both.left)
    found = replace(proof, gaps=gaps, calls=tuple(calls), layers=layers, wrong=wrong, versions=_versions())
    return replace(found, open=tuple(_open(found, both, original)))


def _open(proof: Proof, both: Both, original: Original | None) -> Iterator[str]:
    """Yield what was compared with nothing."""
    if original is not None:
        yield f"{_WIRING} ({original.why_not})"
    yield from both.assumed
    yield from both.refused
    gaps = set(proof.gaps)
    if proof.gaps:
        beside = (
            ""
            if original is None
            else "; filled in, only a live model with its code, FILE.py:NAME, can show whether it is right"
        )
        yield f"left to the reader: {', '.join(proof.gaps)}{beside}"
    rest = [each.layer for each in proof.layers if each.how == "nothing" and each.layer not in gaps]
    if rest:
        yield f"these layers: {', '.join(rest)}"
    yield _TRAINING


def _versions() -> dict[str, str]:
    known = ("keras", "tf_keras", "tensorflow", "torch", "numpy")
    found = {name: str(sys.modules[name].__version__) for name in known if sys.modules.get(name) is not None}
    return {"gatewise": __version__, "python": platform.python_version(), **found}


def load_port(path: Path) -> Any:
    """Run the source of a port, and return its model.

    Args:
        path: OUT.py, beside its arrays.
    """
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_bytes(), path, "exec"), names)  # noqa: S102  it was written here, or the caller trusts it
    return names["build"]()
