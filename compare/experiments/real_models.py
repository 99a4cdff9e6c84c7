"""Models that strangers trained, carried over to the other framework and held against what they gave in their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import frameworks
from compare.experiments.snippets import run_snippet
from compare.results import Results, control, exact, measured
from compare.returns import returns_map
from compare.studies.real_models.building import build_layer
from compare.studies.real_models.mistakes import MISTAKES
from compare.studies.real_models.models import load_all
from compare.studies.real_models.originals import fetching
from compare.studies.real_models.replay import TOLERANCE, Call, beginning, largest_error
from compare.studies.real_models.stored import StoredLayer, StoredModel
from frameworks import adapt, convert, emulate
from frameworks.errors import NoCounterpartError
from frameworks.keras.tensors import to_numpy

CODE = """\
stored = load("{model}").layer("{layer}")
original = build_layer(stored)
ported = frameworks.{how}(original, to="{to}")
"""
"""The port: these lines are run, and shown."""


def run(progress: Callable[[str], None]) -> Results:
    """Carry every stored model over and compare it with its recorded outputs."""
    results = {}
    for model in load_all():
        progress(model.name)
        results[model.name] = _run_model(model)
    return results


def _run_model(model: StoredModel) -> Results:
    facts = ("package", "version", "license", "author", "homepage", "file", "sha256", "subject", "hard", "expected_from")
    return {
        "facts": exact({name: getattr(model, name) for name in facts}),
        "layers": {layer.name: run_layer(model, layer) for layer in model.layers},
    }


def run_layer(model: StoredModel, stored: StoredLayer) -> Results:
    """Give what is known of a layer and, where its weights are here, the errors of the right port and of wrong ones."""
    described: dict[str, Any] = {
        "layer": exact({"origin": stored.origin, "class_name": stored.class_name, "config": dict(stored.config)}),
        "spec": exact(dict(vars(stored.spec))),
        "note": exact(stored.note),
        "rows": exact([row for case in stored.cases for row in case.rows]),
    }
    if not stored.kept:
        return described | {"not kept": exact(fetching(model.original))}
    original = build_layer(stored)
    how, refusal = choose(original, other_than(stored.origin))
    described["in its own framework"] = measured(largest_error(stored.cases, call_original(stored, original)), TOLERANCE)
    if refusal:
        described["refused"] = exact(refusal)
    return {**described, **_right_port(model, stored, how), "wrong": _wrong_ports(stored)}


def _right_port(model: StoredModel, stored: StoredLayer, how: Callable[..., Any]) -> dict[str, Any]:
    code = CODE.format(model=model.name, layer=stored.name, how=how.__name__, to=other_than(stored.origin))
    _, names = run_snippet(
        code, {"load": {model.name: model}.__getitem__, "build_layer": build_layer, "frameworks": frameworks}
    )
    call = call_ported(stored, names["original"], names["ported"], how)
    return {"by": exact(how.__name__), "code": exact(code), "ported": measured(largest_error(stored.cases, call), TOLERANCE)}


def other_than(framework: str) -> str:
    """Name the framework to which a layer is carried."""
    return "pytorch" if framework == "keras" else "keras"


def choose(original: Any, to: str) -> tuple[Callable[..., Any], str]:
    """Give what carries the layer over, `convert` where it can, and why `convert` cannot."""
    try:
        convert(original, to=to)
    except NoCounterpartError as refusal:
        return emulate, str(refusal)
    return convert, ""


def call_original(stored: StoredLayer, original: Any) -> Call:
    """Call a layer in its own framework: a Keras layer as it is, with its own flags."""
    if stored.origin == "pytorch":
        return lambda inputs, states, mask: vars(adapt(original).forward(inputs, states, mask))
    return lambda inputs, states, mask: {"output": to_numpy(original(inputs, initial_state=states, mask=mask, training=False))}


def call_ported(stored: StoredLayer, original: Any, ported: Any, how: Callable[..., Any]) -> Call:
    """Call the port of a layer, and give of a Keras layer what that layer returns."""
    if how is not convert:
        return lambda inputs, states, mask: {"output": to_numpy(_call_emulation(ported, inputs, states, mask))}
    forward = adapt(ported).forward
    if stored.origin == "pytorch":
        return lambda inputs, states, mask: vars(forward(inputs, states, mask))
    mapping = returns_map(original)
    return lambda inputs, states, mask: {"output": mapping.to_keras(**_known(vars(forward(inputs, states, mask))))}


def _call_emulation(module: Any, inputs: Any, states: Any, mask: Any) -> Any:
    import torch

    start = None if states is None else [torch.tensor(state) for state in states]
    counts = None if mask is None else torch.tensor(mask)
    return module(torch.tensor(inputs), initial_state=start, mask=counts, training=False)


def _wrong_ports(stored: StoredLayer) -> dict[str, Any]:
    """Measure the mistakes that the layer is shown with, in the other framework."""
    found = {}
    cases = (beginning(stored.cases[0]),)
    for name in stored.mistakes:
        mistake = MISTAKES[name]
        wrong = mistake.change(stored)
        original = build_layer(wrong)
        how, _ = choose(original, other_than(stored.origin))
        ported = how(original, to=other_than(stored.origin))
        call = mistake.applied_to(call_ported(wrong, original, ported, how))
        found[name] = control(largest_error(cases, call))
    return found


def _known(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if array is not None}
