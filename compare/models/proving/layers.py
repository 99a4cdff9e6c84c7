"""What a proof says of each layer of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.models.comparison import Row
from compare.models.pairing.axes import difference
from compare.models.proving.proof import ProvenCall, ProvenLayer
from compare.models.recording.recorded import Recorded, Recording
from compare.models.whole import states_of
from frameworks.errors import GatewiseError
from frameworks.files.stored import StoredLayer
from frameworks.models.graph import Graph, Layer

_WORST = ("wrong here", "input differs", "agrees", "no partner")


class OffReference(NamedTuple):
    """How far a layer of a framework is from the reference.

    Args:
        error: the largest difference.
        allowed: how large it may be.
    """

    error: float
    allowed: float


def layers_of(
    graph: Graph, ran: Graph, calls: Sequence[ProvenCall], against: str, reference: Mapping[str, OffReference]
) -> Iterator[ProvenLayer]:
    """Yield what became of each layer in the calls of a proof.

    Args:
        graph: the model.
        ran: the part of it that was called.
        calls: the calls.
        against: what the layers were compared with.
        reference: how far recurrent layers are from the reference.
    """
    part = {path for path, _, called in _walk(ran, "") if called}
    rows: dict[str, list[Row]] = {}
    for call in calls:
        for row in call.comparison.rows:
            for name in (row.expected or "").split(" + "):
                rows.setdefault(name, []).append(row)
    passed = all(call.comparison.passed for call in calls)
    for path, layer, _ in _walk(graph, ""):
        whole = layer.inner is not None and layer.inner.graph is not None  # its port consists of modules of their own
        found = [] if whole else [row for row in rows.get(path) or rows.get(layer.name, []) if row.actual]
        off = reference.get(path)
        if not found:
            here = ProvenLayer(path, layer.kind, has_arrays=_has_arrays(layer))
            in_whole = path in part and calls and not layer.gap and passed
            yield replace(here, against=against, how="in the whole") if in_whole else here
            continue
        worst = min((row.verdict for row in found), key=_WORST.index)
        by = against if off is None else f"{against}, and that with the reference"
        yield ProvenLayer(
            path,
            layer.kind,
            here=found[0].actual or "",
            against=by,
            how="alone"
            if any(row.output_error is not None or row.alone_error is not None for row in found)
            else "in the whole",
            input_error=_largest([row.input_error for row in found]),
            output_error=_largest([row.output_error for row in found]),
            alone_error=_largest([row.alone_error for row in found]),
            reference_error=None if off is None else off.error,
            verdict=worst,
            has_arrays=_has_arrays(layer),
        )


def _was_compared(row: Row) -> bool:
    """Return whether the results of a pair were held against each other, rather than what its readers get of them."""
    return row.output_error is not None or row.alone_error is not None


def _has_arrays(layer: Layer) -> bool:
    stored = layer.core.stored
    return isinstance(stored, StoredLayer) or bool(stored is not None and stored.arrays)


def _walk(graph: Graph, prefix: str) -> Iterator[tuple[str, Layer, bool]]:
    """Yield the path of each layer that computes something, the layer, and whether it is called."""
    called = {call.layer for call in graph.calls}
    for name, layer in graph.layers.items():
        if layer.kind == "InputLayer":
            continue
        if layer.graph is not None:
            yield from _walk(layer.graph, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", layer, name in called


def _largest(errors: Sequence[float | None]) -> float | None:
    known = [each for each in errors if each is not None]
    return max(known) if known else None


def against_reference(graph: Graph, recordings: Sequence[Recording]) -> dict[str, OffReference]:
    """Return how far the recurrent layers of a recorded Keras model are from the reference with the weights of the file."""
    stored = {path: layer.stored for path, layer, _ in _walk(graph, "") if isinstance(layer.stored, StoredLayer)}
    found: dict[str, OffReference] = {}
    for call in (call for recording in recordings for call in recording.calls if call.adapter is not None):
        path = next((each for each in stored if call.name in (each, each.rpartition("/")[2])), None)
        off = None if path is None else _off(call, stored[path])
        if path is not None and off is not None:
            found[path] = max(off, found.get(path, off))
    return found


def _off(call: Recorded, layer: StoredLayer) -> OffReference | None:
    if call.adapter is None:
        return None
    dtype = layer.spec.dtype
    states = states_of(call, len(layer.spec.state_names))
    given = None if states is None else tuple(each.astype(dtype) for each in states)
    try:
        wanted = layer.forward(call.sequence.astype(dtype), given, call.steps)
        own = call.adapter.forward(call.sequence.astype(dtype), given, call.steps)
    except GatewiseError:
        return None
    both = [(getattr(wanted, name), getattr(own, name)) for name in ("output", "h_n", "c_n")]
    errors = [difference(one, two) for one, two in both if one is not None and two is not None]
    scale = max(float(np.abs(one).max(initial=0)) for one, _ in both if one is not None)
    allowed = TOLERANCES[dtype] * max(1.0, scale)
    return OffReference(max((np.inf if each is None else each for each in errors), default=0.0), allowed)
