"""onnxruntime computes from an exported emulation what Keras's own layer returns, for any batch size and number of time steps.

Covers: `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.export import Dim

from frameworks import emulate, one_step
from frameworks.keras_in_torch.layers import KerasGRU, KerasLSTM
from frameworks.keras_in_torch.layers.activations import ACTIVATIONS, find_activation

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `test` installs onnxruntime")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the exporter and of onnxscript
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

INPUT = 3
Array = npt.NDArray[Any]
layers = keras.layers
MAKERS: dict[str, Callable[[], Any]] = {
    "fused": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
    "loop": lambda: layers.GRU(4, reset_after=False, go_backwards=True, return_sequences=True),
    "stack": lambda: layers.RNN([layers.LSTMCell(4), layers.SimpleRNNCell(2, activation="elu")], return_sequences=True),
}


class Masked(nn.Module):
    """A layer with its mask as a positional argument."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> Any:
        return self.layer(x, mask=mask)


def export(module: nn.Module, given: Mapping[str, torch.Tensor], path: Path, *, dynamo: bool, free: tuple[int, ...]) -> Any:
    """Export a module with free axes, and return a function from named arrays to the list of results."""
    args, names = tuple(given.values()), list(given)
    if dynamo:
        shapes = tuple({axis: Dim(f"size{axis}") for axis in free} for _ in args)
        torch.onnx.export(module, args, path, input_names=names, dynamic_shapes=shapes, dynamo=True, verbose=False)
    else:
        axes = {name: {axis: f"size{axis}" for axis in free} for name in names}
        torch.onnx.export(module, args, path, input_names=names, dynamic_axes=axes, dynamo=False)
    session = onnxruntime.InferenceSession(str(path))
    return lambda arrays: session.run(None, dict(arrays))


@pytest.mark.parametrize(
    ("dynamo", "name", "masked"),
    [
        *((False, name, masked) for name in ("fused", "loop") for masked in (False, True)),
        *((False, "stack", True), (True, "loop", True)),
    ],
)
def test_the_exported_layer_returns_what_keras_returns_at_any_length(
    name: str, *, dynamo: bool, masked: bool, tmp_path: Path, randomise: Callable[[Any], Any]
) -> None:
    native = MAKERS[name]()
    native.build((None, None, INPUT))
    module = emulate(randomise(native))
    given = {"x": torch.randn(2, 4, INPUT), "mask": torch.ones(2, 4, dtype=torch.bool)}
    if not masked:
        del given["mask"]
    run = export(Masked(module).eval() if masked else module, given, tmp_path / "layer.onnx", dynamo=dynamo, free=(0, 1))
    for batch, time in ((3, 6), (1, 1)):
        rng = np.random.default_rng(batch)
        x, mask = rng.normal(size=(batch, time, INPUT)).astype("float32"), rng.random((batch, time)) < 0.6
        mask[:1] = True
        expected = np.asarray(native(x, mask=mask) if masked else native(x))
        arrays = {"x": x, "mask": mask} if masked else {"x": x}
        assert np.abs(run(arrays)[0] - expected).max() < 2e-6
        assert np.abs(run({**arrays, "x": x + 1})[0] - expected).max() > 1e-3


def test_every_activation_is_exported_as_keras_computes_it(tmp_path: Path) -> None:
    class Activations(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return [find_activation(name)(x) for name in names]

    names = sorted(set(ACTIVATIONS) & set(dir(keras.activations)))
    assert {"softplus", "log_sigmoid", "sparsemax", "mish"} <= set(names)
    x = np.linspace(-120, 120, 242, dtype="float32").reshape(11, 22)
    run = export(Activations(), {"x": torch.from_numpy(x[:2])}, tmp_path / "all.onnx", dynamo=False, free=(0,))
    for name, actual in zip(names, run({"x": x}), strict=True):
        expected = np.asarray(getattr(keras.activations, name)(x))
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_model_of_one_length_raises_an_error_for_another(*, dynamo: bool, tmp_path: Path) -> None:
    layer = KerasGRU(4, input_size=INPUT, reset_after=False).eval()
    run = export(layer, {"x": torch.randn(2, 2, INPUT)}, tmp_path / "layer.onnx", dynamo=dynamo, free=(0,))
    assert run({"x": np.zeros((3, 2, INPUT), "float32")})[0].shape == (3, 4)
    with pytest.raises(Exception, match="Got invalid dimensions"):  # onnxruntime's own error
        run({"x": np.zeros((3, 5, INPUT), "float32")})


@pytest.mark.parametrize("dynamo", [False, True])
def test_a_stateful_layer_is_refused(*, dynamo: bool, tmp_path: Path) -> None:
    layer = KerasLSTM(4, input_size=INPUT, stateful=True).eval()
    x = torch.randn(2, 2, INPUT)
    layer(x)
    with pytest.raises(Exception, match="stateful layer must keep its states"):  # the dynamo exporter wraps the error
        export(layer, {"x": x}, tmp_path / "layer.onnx", dynamo=dynamo, free=())


def test_one_step_streams_in_onnxruntime(tmp_path: Path, randomise: Callable[[Any], Any]) -> None:
    native = layers.RNN([layers.LSTMCell(4), layers.GRUCell(2, reset_after=False)], return_sequences=True)
    native.build((None, None, INPUT))
    step = one_step(emulate(randomise(native)))
    given = dict(zip(("x", "h", "c", "h2"), (torch.randn(2, INPUT), *step.initial_states(2)), strict=True))
    run = export(step, given, tmp_path / "step.onnx", dynamo=False, free=(0,))
    x = np.random.default_rng(0).normal(size=(5, 7, INPUT)).astype("float32")
    states = [state.numpy() for state in step.initial_states(5)]
    outputs = []
    for time in range(7):
        y, *states = run(zip(("x", "h", "c", "h2"), (x[:, time], *states), strict=True))
        outputs.append(y)
    assert np.abs(np.stack(outputs, axis=1) - np.asarray(native(x))).max() < 2e-6
