"""Models that strangers trained, carried over to the other framework and held against what they gave in their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.difference import measure
from compare.results import Results, control, exact, measured
from compare.studies.real_models.models import StoredCase, StoredModel, load_all
from frameworks import RecurrentOutput, RecurrentWeights, adapt, build, convert
from frameworks.adapter import Adapter
from frameworks.layouts import KERAS, PYTORCH

Array = npt.NDArray[np.floating]

TOLERANCE = 2e-5
"""As a share of max(1, max |expected|): the recorded values are float32, some of them after many steps."""

_LAYOUTS = {"keras": KERAS, "pytorch": PYTORCH}


def run(progress: Callable[[str], None]) -> Results:
    """Carry every stored model over and compare it with its recorded outputs."""
    results = {}
    for model in load_all():
        progress(model.name)
        results[model.name] = _run_model(model)
    return results


def _run_model(model: StoredModel) -> Results:
    other = "pytorch" if model.origin == "keras" else "keras"
    source = build(model.origin, model.spec)
    source.set_weights(_weights(model))
    ported = adapt(convert(source, to=other))
    facts = ("package", "version", "license", "author", "homepage", "file", "sha256", "subject", "origin", "expected_from")
    return {
        "facts": exact({name: getattr(model, name) for name in facts}),
        "spec": exact(dict(vars(model.spec))),
        "rows": exact([row for case in model.cases for row in case.rows]),
        "in its own framework": measured(_error(source, model), TOLERANCE),
        "ported": measured(_error(ported, model), TOLERANCE),
        "recurrent kernel not transposed": control(_error(_broken(model, other), model)),
    }


def _weights(model: StoredModel) -> RecurrentWeights:
    spec, layout = model.spec, _LAYOUTS[model.origin]

    def stored(name: str, layer: int, direction: int) -> Array:
        return model.weights[name if model.origin == "keras" else f"{name}_l{layer}{'_reverse' * direction}"]

    return RecurrentWeights(
        tuple(
            tuple(
                layout.read({name: stored(name, layer, direction) for name in layout.names(spec)}, spec, layer)
                for direction in range(spec.num_directions)
            )
            for layer in range(spec.num_layers)
        )
    )


def _broken(model: StoredModel, framework: str) -> Adapter:
    """Build the port that everyone writes first: square blocks fit either way round."""
    layer = build(framework, model.spec)
    layers = tuple(
        tuple(replace(one, recurrent_kernel=one.recurrent_kernel.transpose(0, 2, 1)) for one in directions)
        for directions in _weights(model).layers
    )
    layer.set_weights(RecurrentWeights(layers))
    return layer


def _error(layer: Adapter, model: StoredModel) -> float:
    """Give the largest error over all cases, as a share of max(1, max |expected|)."""
    return max(error for case in model.cases for error in _case_errors(layer.forward(case.inputs), case))


def _case_errors(result: RecurrentOutput, case: StoredCase) -> list[float]:
    found: dict[str, Any] = {"output": result.output, "h_n": result.h_n, "c_n": result.c_n}
    found["last_output"] = None if result.h_n is None else result.h_n[-1]
    pairs = ((getattr(case, name), array) for name, array in found.items())
    return [measure(expected, array).needed for expected, array in pairs if expected is not None]
