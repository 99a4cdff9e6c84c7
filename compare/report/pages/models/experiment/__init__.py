"""Six models ported to torch and three modules ported to Keras, with their proofs, and an old file in today's Keras."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.models.proving.proving import Port, load_port, prove
from compare.report.pages.models.experiment.examples import EXAMPLES, Example
from compare.report.pages.models.experiment.modules import ported
from compare.report.pages.models.experiment.old_file import old_file
from compare.report.pages.models.experiment.proofs import call_of, error_of, found_by, layer_of
from compare.report.pages.models.experiment.torch_examples import TORCH_EXAMPLES
from compare.report.results import Results, control, exact
from compare.report.snippets import run_snippet
from frameworks.models import to_source
from frameworks.models.source import Source


def run(progress: Callable[[str], None]) -> Results:
    """Port every model, prove it, and prove once more with two gates exchanged."""
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for example in EXAMPLES:
            progress(example.title)
            models[example.name] = _ported(example, Path(folder))
        modules = {}
        for each in TORCH_EXAMPLES:
            progress(each.title)
            modules[each.name] = ported(each, Path(folder))
        progress("An old file")
        return {"models": models, "modules": modules, "old file": old_file(Path(folder))}


def _ported(example: Example, folder: Path) -> Results:
    import keras

    keras.utils.clear_session()  # names that Keras numbers do not depend on the pages before
    _, names = run_snippet(example.keras, {"keras": keras, "layers": keras.layers})
    model, path = names["model"], folder / f"{example.name}.keras"
    rng = np.random.default_rng(len(example.name))
    model.set_weights([np.abs(each) + 0.5 if "variance" in weight.path else each for weight, each in _drawn(model, rng)])
    model.save(path)
    source = to_source(path, to="pytorch")
    out = source.write(folder / f"{example.name}.py")[0]
    module = load_port(out)
    proof = prove(path, Port(module, out.name, source.gaps))
    where = _exchange_gates(module)
    wrong = prove(path, Port(module, out.name, source.gaps))
    return {
        "title": exact(example.title),
        "note": exact(example.note),
        "keras": exact(example.keras),
        "summary": exact(_summary(model)),
        "source": exact(_shown(source)),
        "verdict": exact(proof.verdict),
        "calls": {str(number): call_of(proof, number) for number in range(len(proof.calls))},
        "layers": {each.layer: layer_of(each) for each in proof.layers},
        "exchanged": exact(where),
        "found": exact(found_by(wrong)),
        "error of the exchange": control(error_of(wrong)),
    }


def _drawn(model: Any, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    return [(weight, rng.normal(0, 0.3, weight.shape)) for weight in model.weights]


def _summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(line_length=80, print_fn=lines.append)
    return "\n".join(lines).strip()


def _shown(source: Source) -> str:
    """Return the classes and functions that compute: without the version of Keras, and without `build` and `load`."""
    text = re.sub(r" \(Keras [\d.]+\)", "", source.text.partition("\n\ndef build(")[0])
    head, _, rest = text.partition("\nPORT = ")
    return f"{head}\n\n{re.search(r'^(def |class ).*', rest, re.MULTILINE | re.DOTALL)[0]}".strip()  # type: ignore[index]


def _exchange_gates(module: Any) -> str:
    """Exchange the first two gates of the first recurrent kernel in place, and return the name of its module."""
    arrays: Mapping[str, Any] = module.state_dict()
    name = next(each for each in arrays if ".weight_hh" in each)
    recurrent = arrays[name]
    size = recurrent.shape[1]
    first = recurrent[:size].clone()
    recurrent[:size] = recurrent[size : 2 * size]
    recurrent[size : 2 * size] = first
    return name
