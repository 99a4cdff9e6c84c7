"""Layers of published models, ported in every run: those with weights in this repository.

`compare.report.pages.real_models.experiment.original_files` ports all layers, from the original files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from compare.report.results import Results, exact, measured
from compare.report.studies.real_models.kept import read_kept
from compare.report.studies.real_models.models import load_all
from compare.report.studies.real_models.recorded import RecordedLayer, RecordedModel
from compare.report.studies.real_models.replay import TOLERANCE, Call, largest_error
from compare.returns.mapping import returns_map
from frameworks import adapt
from frameworks.counterparts import require_counterpart
from frameworks.errors import NoCounterpartError
from frameworks.files import StoredLayer
from frameworks.keras.tensors import to_numpy
from frameworks.rows import FrameworkName

How = Literal["convert", "emulate"]


def run(progress: Callable[[str], None]) -> Results:
    """Return the origin of each model, and port the layers whose weights are in this repository."""
    results: dict[str, Any] = {}
    for model in load_all():
        progress(model.name)
        results[model.name] = {"facts": exact(_facts(model)), "layers": {one.name: _run_layer(one) for one in model.layers}}
    return results


def _facts(model: RecordedModel) -> dict[str, Any]:
    names = ("package", "version", "license", "author", "homepage", "archive", "file", "sha256", "subject", "hard")
    return {name: getattr(model, name) for name in (*names, "expected_from")}


def _run_layer(layer: RecordedLayer) -> Results:
    described: dict[str, Any] = {
        "layer": exact({"origin": layer.origin, "class_name": layer.class_name, "config": dict(layer.config)}),
        "spec": exact(dict(vars(layer.spec))),
        "note": exact(layer.note),
        "rows": exact([row for case in layer.cases for row in case.rows]),
    }
    if layer.kept:
        described["kept weights"] = measured(port_error(layer, read_kept(layer)), TOLERANCE)
    return described


def port_error(layer: RecordedLayer, stored: StoredLayer) -> float:
    """Return the largest difference of a stored layer's port from the recorded results."""
    to, (how, _) = other_than(stored.origin), choose(stored)
    return largest_error(layer.cases, call_ported(stored, getattr(stored, how)(to), how))


def other_than(framework: FrameworkName) -> FrameworkName:
    """Name the framework to which a layer is ported."""
    return "pytorch" if framework == "keras" else "keras"


def choose(stored: StoredLayer) -> tuple[How, str]:
    """Choose `convert` if it can port the layer, `emulate` otherwise, with the reason why `convert` refuses."""
    try:
        require_counterpart(stored.spec, other_than(stored.origin), stored.options)
    except NoCounterpartError as refusal:
        return "emulate", str(refusal)
    return "convert", ""


def call_ported(stored: StoredLayer, ported: Any, how: How) -> Call:
    """Return a call of a layer's port with the same results as the layer itself."""
    if how == "convert":
        return as_stored(stored, adapt(ported).forward)
    return _call_emulation(ported)


def call_own(stored: StoredLayer) -> Call:
    """Return a call of the layer in the current version of its framework; a Keras layer keeps its flags."""
    own = stored.emulate(stored.origin)
    return _call_emulation(own) if stored.origin == "keras" else as_stored(stored, adapt(own).forward)


def as_stored(stored: StoredLayer, forward: Callable[..., Any]) -> Call:
    """Turn an adapter's `forward` into a call with the same results as the stored layer."""
    if stored.options is None:
        return lambda inputs, states, mask: vars(forward(inputs, states, mask))
    mapping = returns_map(stored.spec, stored.options)
    way = -1 if stored.options.go_backwards else 1  # `forward` returns the steps in time order, Keras in reading order

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        arrays = {name: array for name, array in vars(forward(inputs, states, mask)).items() if array is not None}
        return {"output": mapping.to_keras(**{**arrays, "output": arrays["output"][:, ::way]})}

    return call


def _call_emulation(layer: Any) -> Call:
    """Return a call of a layer of either framework that is called like a Keras layer."""
    import torch

    if not isinstance(layer, torch.nn.Module):
        return lambda inputs, states, mask: {"output": to_numpy(layer(inputs, initial_state=states, mask=mask))}

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        start = None if states is None else [torch.tensor(state) for state in states]
        counts = None if mask is None else torch.tensor(mask)
        return {"output": to_numpy(layer(torch.tensor(inputs), initial_state=start, mask=counts))}

    return call
