"""Models that strangers trained, carried over to the other framework and held against what they gave in their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.difference import measure
from compare.experiments.snippets import run_snippet
from compare.results import Results, control, exact, measured
from compare.studies.real_models.models import StoredCase, StoredModel, load, load_all
from frameworks import RecurrentOutput, RecurrentWeights, adapt, build, convert
from frameworks.adapter import Adapter

Array = npt.NDArray[np.floating]

TOLERANCE = 2e-5
"""As a share of max(1, max |expected|): the recorded values are float32, some of them after many steps."""


def run(progress: Callable[[str], None]) -> Results:
    """Carry every stored model over and compare it with its recorded outputs."""
    results = {}
    for model in load_all():
        progress(model.name)
        results[model.name] = _run_model(model)
    return results


CODE = {
    "keras": """\
model = load("{name}")
layer = build("keras", model.spec)
layer.native.set_weights([model.weights[name] for name in ("kernel", "recurrent_kernel", "bias")])
rnn = convert(layer, to="pytorch")
""",
    "pytorch": """\
model = load("{name}")
rnn = build("pytorch", model.spec)
rnn.native.load_state_dict({{name: torch.tensor(array) for name, array in model.weights.items()}})
layer = convert(rnn, to="keras")
""",
}
"""The port, by the framework in whose layout the weights are stored."""


def _run_model(model: StoredModel) -> Results:
    import torch

    code = CODE[model.origin].format(name=model.name)
    _, names = run_snippet(code, {"load": load, "build": build, "convert": convert, "torch": torch})
    source, ported = (names[name] for name in (("layer", "rnn") if model.origin == "keras" else ("rnn", "layer")))
    facts = ("package", "version", "license", "author", "homepage", "file", "sha256", "subject", "origin", "expected_from")
    return {
        "facts": exact({name: getattr(model, name) for name in facts}),
        "spec": exact(dict(vars(model.spec))),
        "rows": exact([row for case in model.cases for row in case.rows]),
        "code": exact(code),
        "in the layout's own framework": measured(_error(adapt(source), model), TOLERANCE),
        "ported": measured(_error(adapt(ported), model), TOLERANCE),
        "recurrent kernel not transposed": control(_error(_broken(adapt(ported)), model)),
    }


def _broken(ported: Adapter) -> Adapter:
    """Build the port that everyone writes first: square blocks fit either way round."""
    layer = build(ported.framework, ported.spec)
    layers = tuple(
        tuple(replace(one, recurrent_kernel=one.recurrent_kernel.transpose(0, 2, 1)) for one in directions)
        for directions in ported.get_weights().layers
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
