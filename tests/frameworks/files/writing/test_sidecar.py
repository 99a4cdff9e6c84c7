"""The description in a file gives the layers back, and one that is not that of its arrays is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, OtherLayer, StoredLayer, save_checkpoint
from frameworks.files.given_options import GivenOptions
from frameworks.files.untrusted.source import StoredArray, in_memory
from frameworks.files.writing.sidecar import read_described
from tests.frameworks.files.writing.test_saving import assert_same, read_npz


def described(checkpoint: Checkpoint, folder: Path) -> tuple[dict[str, StoredArray], bytes]:
    save_checkpoint(folder / "model.npz", checkpoint)
    arrays, text = read_npz(folder / "model.npz")
    return {name: in_memory(array) for name, array in arrays.items()}, text


def test_the_description_restores_the_layers(checkpoint: Checkpoint, tmp_path: Path) -> None:
    arrays, text = described(checkpoint, tmp_path)
    read = {layer.name: layer for layer in read_described(text, arrays, "file", GivenOptions())}
    assert list(read) == [*checkpoint, *checkpoint.others]
    for name, expected in checkpoint.items():
        layer = read[name]
        assert isinstance(layer, StoredLayer)
        assert_same(layer, expected)
        assert (layer.origin, layer.class_name, layer.mask) == ("keras", expected.class_name, expected.mask)
    dense = read["each"]
    assert isinstance(dense, OtherLayer)
    assert (dense.kind, dense.wrappers) == ("Linear", ("TimeDistributed",))
    np.testing.assert_array_equal(dense.arrays["weight"].T, checkpoint.others["each"].arrays["kernel"])


def test_options_override_the_description(checkpoint: Checkpoint, tmp_path: Path) -> None:
    arrays, text = described(checkpoint, tmp_path)
    answers = GivenOptions({"zz": {"activation": "tanh", "recurrent_activation": "sigmoid", "return_state": True}})
    layer = next(each for each in read_described(text, arrays, "file", answers) if each.name == "zz")
    assert isinstance(layer, StoredLayer)
    assert layer.options is not None
    assert (layer.spec.activation, layer.options.return_state) == ("tanh", True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: said.update(version=2),
        lambda said: said.update(layers=3),
        lambda said: said["layers"][0].update(cells=[]),
        lambda said: said["layers"][0]["cells"][0].append(said["layers"][0]["cells"][0][0]),
        lambda said: said["layers"][0]["cells"][0][0]["spec"].update(hidden_size=9),
        lambda said: said["layers"][0]["cells"][0][0]["spec"].update(activation="os.system"),
        lambda said: said["layers"][0]["options"].update(merge_mode=[1]),
        lambda said: said["layers"][0].update(name="another"),
        lambda said: said["layers"].append(said["layers"][-1]),
    ],
)
def test_a_description_that_does_not_fit_the_arrays_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, damage: Any, refused: Any
) -> None:
    arrays, text = described(checkpoint, tmp_path)
    said = json.loads(text)
    damage(said)
    with refused():
        read_described(json.dumps(said), arrays, "file", GivenOptions())
