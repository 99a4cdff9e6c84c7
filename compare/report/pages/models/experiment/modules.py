"""Torch modules ported to Keras, proven, and proven once more with two gates exchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from compare.models.proving.proof import Proof
from compare.models.proving.proving import Port, load_port, prove
from compare.report.pages.models.experiment.proofs import call_of, error_of, found_by, layer_of
from compare.report.pages.models.experiment.torch_examples import TorchExample
from compare.report.results import Results, control, exact
from compare.report.snippets import run_snippet
from frameworks.models import to_source


def ported(example: TorchExample, folder: Path) -> Results:
    """Port a module, prove its source, and prove it again with two gates exchanged."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    packing = {"pack_padded_sequence": pack_padded_sequence, "pad_packed_sequence": pad_packed_sequence}
    with torch.random.fork_rng():
        torch.manual_seed(len(example.name))
        _, made = run_snippet(example.torch, names | packing)
    module, arguments = made["module"].eval(), made["example"]
    given = tuple(np.asarray(each) for each in arguments)
    source = to_source(module, example=arguments)
    out = source.write(folder / f"{example.name}.py")[0]
    model = load_port(out)
    proof = prove(module, Port(model, out.name), given)
    where = _exchange_gates(model)
    wrong = prove(module, Port(model, out.name), given)
    return {
        "title": exact(example.title),
        "note": exact(example.note),
        "torch": exact(example.torch),
        "source": exact(source.text.partition("\n\ndef build(")[0].strip()),
        **_proven(proof),
        "exchanged": exact(where),
        "found": exact(found_by(wrong)),
        "error of the exchange": control(error_of(wrong)),
    }


def _proven(proof: Proof) -> Results:
    return {
        "verdict": exact(proof.verdict),
        "calls": {str(number): call_of(proof, number) for number in range(len(proof.calls))},
        "layers": {each.layer: layer_of(each) for each in proof.layers},
    }


def _exchange_gates(model: Any) -> str:
    """Exchange the first two gates of the first recurrent kernel, and return its path."""
    import keras

    weight = next(each for each in model.weights if each.name == "recurrent_kernel")
    array = keras.ops.convert_to_numpy(weight).copy()
    size = len(array)
    array[:, :size], array[:, size : 2 * size] = array[:, size : 2 * size].copy(), array[:, :size].copy()
    weight.assign(array)
    return str(weight.path)
