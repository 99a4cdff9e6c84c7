"""The models that strangers shipped, read from their original files: the recorded weights bit for bit, the recorded outputs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.studies.real_models.models import load
from compare.studies.real_models.originals import read_file, read_weights
from compare.studies.real_models.replay import TOLERANCE, largest_error
from compare.studies.real_models.stored import StoredLayer as Recorded
from frameworks import adapt
from frameworks.files import Checkpoint, open_checkpoint
from frameworks.keras.tensors import to_numpy

FOLDER = os.environ.get("GATEWISE_REAL_MODELS")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="GATEWISE_REAL_MODELS names no folder with the packages' archives")

BESIDE = {"rnnmorph": "rnnmorph/models/en/eval_model.json"}
"""The architecture, where it lies beside the weights."""
UNSAID: dict[str, Any] = {"textgenrnn": {None: {"return_sequences": True}}}
"""What the files do not say."""
KERAS = ("astrorapid", "nakdimon", "rnnmorph", "crema", "textgenrnn", "dgaintel")
LAYERS = [(name, layer.name) for name in KERAS for layer in load(name).layers]
OTHERS = ("beatnet", "uzmorph_bilstm", "g2p_en", "silero", "nsnet2")
MODULES = [(name, layer.name) for name in OTHERS for layer in load(name).layers]
IN_THE_FILE = {"encoder": "enc", "decoder": "dec", "gru1": "GRU_14", "gru2": "GRU_20", ("silero", "lstm"): "/recurrent/LSTM"}
"""What the file calls the layer, where it is not what it is called here."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder, found = tmp_path_factory.mktemp("originals"), {}
    for name in (*KERAS, *OTHERS):
        model = load(name)
        path = folder / f"{name}{Path(model.file).suffix}"
        content = read_file(Path(str(FOLDER)) / model.archive, model.file)
        assert hashlib.sha256(content).hexdigest() == model.sha256
        path.write_bytes(content)
        described = None
        if name in BESIDE:
            described = folder / f"{name}.json"
            described.write_bytes(read_file(Path(str(FOLDER)) / model.archive, BESIDE[name]))
        found[name] = open_checkpoint(path, architecture=described, options=UNSAID.get(name))
    return found


def recorded(name: str, layer: str) -> Recorded:
    return read_weights(load(name), Path(str(FOLDER))).layer(layer)


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_the_layer_is_the_recorded_one(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> None:
    stored, expected = checkpoints[name][layer], recorded(name, layer)
    assert stored.spec == expected.spec
    inner = expected.config.get("layer", {}).get("config", expected.config)
    assert stored.options is not None
    for option in ("return_sequences", "go_backwards", "dropout", "recurrent_dropout"):
        assert getattr(stored.options, option) == inner.get(option, getattr(type(stored.options)(), option)), option
    assert stored.options.merge_mode == expected.config.get("merge_mode", "concat")
    assert bool(stored.mask) == any(case.mask is not None for case in expected.cases)


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_its_weights_are_the_recorded_ones_bit_for_bit(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> None:
    from frameworks.layouts import KERAS as LAYOUT

    stored, expected = checkpoints[name][layer], recorded(name, layer)
    ways = ("forward/", "backward/") if expected.spec.bidirectional else ("",)
    for (_, _, found), way in zip(stored.weights, ways, strict=True):
        arrays = {part: expected.weights[f"{way}{part}"] for part in LAYOUT.names(expected.spec)}
        wanted = LAYOUT.read(arrays, expected.spec, 0)
        np.testing.assert_array_equal(found.kernel, wanted.kernel)
        np.testing.assert_array_equal(found.recurrent_kernel, wanted.recurrent_kernel)
        np.testing.assert_array_equal(np.asarray(found.summed_bias()), np.asarray(wanted.summed_bias()))


@pytest.mark.parametrize("to", ["pytorch", "keras"])
@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_it_gives_the_recorded_outputs_in_either_framework(
    checkpoints: dict[str, Checkpoint], name: str, layer: str, to: str
) -> None:
    import torch

    module: Any = checkpoints[name][layer].emulate(to)

    def call(inputs: Any, states: Any, mask: Any) -> dict[str, Any]:
        assert not states
        if to == "pytorch":
            counts = None if mask is None else torch.tensor(mask)
            return {"output": to_numpy(module(torch.tensor(inputs), mask=counts).detach())}
        return {"output": to_numpy(module(inputs, mask=mask))}

    assert largest_error(recorded(name, layer).cases, call) <= TOLERANCE


def in_the_file(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> Any:
    names: Any = IN_THE_FILE
    return checkpoints[name][names.get((name, layer), names.get(layer, layer))]


@pytest.mark.parametrize(("name", "layer"), MODULES)
def test_a_module_s_weights_are_the_recorded_ones_bit_for_bit(
    checkpoints: dict[str, Checkpoint], name: str, layer: str
) -> None:
    from frameworks.files.building.parameters import torch_arrays

    stored, expected = in_the_file(checkpoints, name, layer), recorded(name, layer)
    assert stored.spec == expected.spec
    found = dict(torch_arrays(stored))
    assert set(found) == set(expected.weights)
    for parameter, wanted in expected.weights.items():
        np.testing.assert_array_equal(found[parameter], wanted)


@pytest.mark.parametrize(("name", "layer"), MODULES)
def test_a_module_gives_the_recorded_outputs_in_keras(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> None:
    ported = adapt(in_the_file(checkpoints, name, layer).convert("keras"))
    cases = recorded(name, layer).cases
    assert largest_error(cases, lambda inputs, states, mask: vars(ported.forward(inputs, states, mask))) <= TOLERANCE
