"""The code that `inspect` and `port` print runs, holds the converted weights, and computes what the layer of the file does.

Covers: `frameworks/files/writing/constructors.py`, `compare/checkpoints/inspection.py`, `compare/checkpoints/port_summary.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.checkpoints.inspection import describe
from frameworks.files import open_checkpoint, save_checkpoint

pytestmark = pytest.mark.frameworks


def inputs(dtype: Any) -> Any:
    return np.random.default_rng(5).normal(size=(2, 7, 3)).astype(dtype)


def test_the_torch_code_of_a_keras_layer_runs(tmp_path: Path) -> None:
    import keras
    import torch
    from torch import nn

    from frameworks.keras.tensors import to_numpy

    kinds, all_of_it = keras.layers, {"return_sequences": True}
    layers = {
        "plain": kinds.LSTM(6, **all_of_it),
        "both": kinds.Bidirectional(kinds.LSTM(6, **all_of_it)),
        "unbiased": kinds.GRU(4, use_bias=False, **all_of_it),
        "relu": kinds.SimpleRNN(4, activation="relu", **all_of_it),
        "wide": kinds.Bidirectional(kinds.GRU(4, dtype="float64", **all_of_it), dtype="float64"),
    }
    x = {name: keras.Input((7, 3), dtype="float64" if name == "wide" else "float32") for name in layers}
    for name, layer in layers.items():
        layer.name = name
    model = keras.Model(list(x.values()), [layer(x[name]) for name, layer in layers.items()])
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(-0.6, 0.6, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    written = {each.name: each.becomes for each in save_checkpoint(tmp_path / "model.pt", checkpoint)}
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    for described in describe(checkpoint)["layers"]:
        name, code = described["name"], described["elsewhere"]["layer"]
        assert code == written[name]
        module = eval(code, {"nn": nn, "torch": torch})  # noqa: S307  our own code
        module.load_state_dict(
            {key.removeprefix(f"{name}."): each for key, each in state.items() if key.startswith(f"{name}.")}
        )
        data = inputs(module.weight_ih_l0.detach().numpy().dtype)
        with torch.no_grad():
            actual = module(torch.from_numpy(data))[0].numpy()
        np.testing.assert_allclose(actual, to_numpy(layers[name](data)), atol=1e-6, err_msg=code)
    assert written["both"] == "nn.LSTM(3, 6, bidirectional=True, batch_first=True)"


@pytest.mark.backend
def test_the_keras_code_of_a_torch_module_runs(tmp_path: Path) -> None:
    import keras
    import torch
    from torch import nn

    from frameworks.keras.tensors import to_numpy

    torch.manual_seed(0)
    modules: dict[str, Any] = {
        "plain": nn.LSTM(3, 6, batch_first=True),
        "both": nn.LSTM(3, 6, bidirectional=True, batch_first=True),
        "stack": nn.GRU(3, 4, num_layers=3, bidirectional=True, batch_first=True),
        "unbiased": nn.GRU(3, 4, bias=False, batch_first=True),
        "relu": nn.RNN(3, 4, nonlinearity="relu", batch_first=True),
        "wide": nn.LSTM(3, 4, bidirectional=True, batch_first=True, dtype=torch.float64),
    }
    torch.save(nn.ModuleDict(modules), tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    names = {**{name: getattr(keras.layers, name) for name in dir(keras.layers)}, "Sequential": keras.Sequential}
    codes = {each["name"]: each["elsewhere"]["layer"] for each in describe(checkpoint)["layers"]}
    assert codes["both"] == "Bidirectional(LSTM(6, return_sequences=True, return_state=True))"
    for name, code in codes.items():
        layer = eval(code, names)  # noqa: S307  our own code
        data = inputs("float64" if name == "wide" else "float32")
        layer(data)
        layer.set_weights(checkpoint[name].convert("keras").get_weights())
        returned = layer(data)
        with torch.no_grad():
            expected = modules[name](torch.from_numpy(data))[0].numpy()
        actual = to_numpy(returned[0] if isinstance(returned, (list, tuple)) else returned)
        np.testing.assert_allclose(actual, expected, atol=1e-6, err_msg=code)


def test_the_code_of_a_cell_runs(tmp_path: Path) -> None:
    import keras
    import torch
    from torch import nn

    torch.save(nn.ModuleDict({"cell": nn.LSTMCell(3, 4)}), tmp_path / "model.pt")
    (described,) = describe(open_checkpoint(tmp_path / "model.pt"))["layers"]
    assert described["elsewhere"]["layer"] == "LSTMCell(4)"
    assert eval(described["elsewhere"]["layer"], {"LSTMCell": keras.layers.LSTMCell}).units == 4  # noqa: S307
