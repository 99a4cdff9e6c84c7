"""A kind goes to the other framework and back if the tables list it, and is carried as it is if not.

Covers: `frameworks/kinds`, `frameworks/files`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.kinds import KERAS, PYTORCH, Array, Kind, Option

WINDOW = ("kernel depth", "kernel rows", "kernel columns")
CONV3D = Kind(
    "Conv3D",
    options=(
        Option("filters", sizes=("output",)),
        Option("kernel_size", sizes=WINDOW),
        Option("strides", 1),
        Option("padding", "valid"),
        Option("use_bias", default=True),
    ),
    arrays=(Array("kernel", (*WINDOW, "input", "output")), Array("bias", ("output",), option="use_bias")),
    reads=(("depth", "rows", "columns", "input"),),
)
CONV3D_IN_TORCH = Kind(
    "Conv3d",
    options=(
        Option("in_channels", sizes=("input",)),
        Option("out_channels", sizes=("output",)),
        Option("kernel_size", sizes=WINDOW),
        Option("stride", 1, means="strides", types=(int, tuple)),
        Option("bias", default=True, means="use_bias"),
    ),
    arrays=(
        Array("weight", ("output", "input", *WINDOW), means="kernel"),
        Array("bias", ("output",), option="bias", means="bias"),
    ),
    means="Conv3D",
)


@pytest.fixture(scope="module")
def volume() -> Any:
    """Return a model with two layers of a kind that no table lists, one without a bias, and a recurrent layer."""
    import keras

    inputs, sequence = keras.Input((6, 7, 8, 2)), keras.Input((5, 3))
    first = keras.layers.Conv3D(4, (2, 3, 1), strides=(1, 2, 2), name="first")(inputs)
    second = keras.layers.Conv3D(3, 2, use_bias=False, name="second")(first)
    model = keras.Model([inputs, sequence], [second, keras.layers.LSTM(4, name="lstm")(sequence)])
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])
    return model


def test_a_kind_in_the_tables_goes_to_torch_and_back(volume: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import torch
    from torch import nn

    monkeypatch.setitem(KERAS.kinds, "Conv3D", CONV3D)
    monkeypatch.setitem(PYTORCH.kinds, "Conv3d", CONV3D_IN_TORCH)
    volume.save(tmp_path / "model.keras")
    told = [
        each
        for each in save_checkpoint(tmp_path / "model.pt", open_checkpoint(tmp_path / "model.keras"))
        if each.kind == "Conv3D"
    ]
    assert [each.becomes for each in told] == [
        "nn.Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 2))",
        "nn.Conv3d(4, 3, (2, 2, 2), bias=False)",
    ]
    modules = nn.ModuleDict({each.name: eval(each.becomes, {"nn": nn}) for each in told})  # noqa: S307  our own text
    state = {name: tensor for name, tensor in torch.load(tmp_path / "model.pt").items() if not name.startswith("lstm.")}
    modules.load_state_dict(state)
    x = np.random.default_rng(4).normal(size=(2, 6, 7, 8, 2)).astype("float32")
    expected = volume.predict([x, np.zeros((2, 5, 3), "float32")], verbose=0)[0]
    actual = modules["second"](modules["first"](torch.from_numpy(np.moveaxis(x, -1, 1).copy()))).detach().numpy()
    np.testing.assert_allclose(np.moveaxis(actual, 1, -1), expected, rtol=0, atol=1e-4)

    save_checkpoint(tmp_path / "back.keras", open_checkpoint(tmp_path / "model.pt"))
    back = keras.models.load_model(tmp_path / "back.keras")
    hidden = back.get_layer("first")(x)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(back.get_layer("second")(hidden)), expected, rtol=0, atol=1e-4)


def test_a_kind_in_no_table_is_carried_unchanged(volume: Any, tmp_path: Path) -> None:
    volume.save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    assert not any(other.known for other in checkpoint.others.values())
    told = save_checkpoint(tmp_path / "model.pt", checkpoint)
    assert {each.becomes for each in told if each.kind == "Conv3D"} == {"its arrays as they are"}
