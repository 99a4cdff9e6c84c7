"""The mistakes of layers that are not recurrent are named, with what mends them; in either framework, and confirmed.

Covers: `compare/models/layers/other_layers.py`, `compare/models/layers/array_mistakes.py`,
`compare/models/layers/layer_options.py`, `compare/models/pairing/axes.py`, `compare/models/judging.py`,
`compare/models/layers/undoing.py`, `compare/models/layers/normalising.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from tests.compare.models.ports import compared, filled, lay

L = keras.layers
SIGNAL = np.random.default_rng(3).standard_normal((4, 11, 6)).astype("float32")
IMAGES = np.random.default_rng(4).standard_normal((3, 9, 8, 4)).astype("float32")
IDS = np.random.default_rng(5).integers(0, 12, (4, 11))


class ChannelsFirst(nn.Module):
    """Run a module with its channels in front, on inputs that have them last."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.movedim(-1, 1)).movedim(1, -1)  # type: ignore[no-any-return]  # a module returns Any


def keras_model(layer: Any, inputs: Any) -> Any:
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=inputs.dtype.name), layer])
    return filled(model)


def ported(layer: Any, module: Any) -> Any:
    """Copy the weights of a Keras layer into a module of torch, and return the module."""
    arrays = [np.array(each) for each in layer.get_weights()]
    for array, (name, tensor) in zip(arrays, _tensors(module), strict=True):
        order = {"weight": {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1)}}.get(name, {}).get(array.ndim)
        embedding = isinstance(module, nn.Embedding)
        lay(tensor, array.transpose(order) if order and not embedding else array)
    return module


def _tensors(module: Any) -> list[tuple[str, Any]]:
    names = ("weight", "bias", "running_mean", "running_var")
    return [(name, getattr(module, name)) for name in names if getattr(module, name, None) is not None]


def changed(attribute: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], None]:
    def apply(module: Any) -> None:
        tensor = getattr(module, attribute)
        tensor.data = change(tensor.data.clone())

    return apply


def option(name: str, value: Any) -> Callable[[Any], None]:
    return lambda module: setattr(module, name, value)


def swapped(one: str, other: str) -> Callable[[Any], None]:
    def apply(module: Any) -> None:
        first, second = getattr(module, one), getattr(module, other)
        first.data, second.data = second.data.clone(), first.data.clone()

    return apply


def _shifted(table: torch.Tensor) -> torch.Tensor:
    return torch.roll(table, 1, 0)


def _without_row(table: torch.Tensor) -> torch.Tensor:
    table[0] = 0
    return table


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half().float()


DENSE = (lambda: L.Dense(6), lambda: nn.Linear(6, 6), SIGNAL)
EMBEDDING = (lambda: L.Embedding(12, 5), lambda: nn.Embedding(12, 5), IDS)
CONV1 = (lambda: L.Conv1D(5, 3, padding="same"), lambda: nn.Conv1d(6, 5, 3, padding=1), SIGNAL)
CAUSAL = (lambda: L.Conv1D(5, 3, padding="causal"), lambda: nn.Conv1d(6, 5, 3, padding=1), SIGNAL)
CONV2 = (lambda: L.Conv2D(4, 3, padding="same"), lambda: nn.Conv2d(4, 4, 3, padding=1), IMAGES)
DILATED = (
    lambda: L.Conv1D(5, 3, padding="same", dilation_rate=2),
    lambda: nn.Conv1d(6, 5, 3, padding=2, dilation=2),
    SIGNAL,
)
STRIDED = (lambda: L.Conv2D(4, 3, strides=2, padding="same"), lambda: nn.Conv2d(4, 4, 3, stride=2, padding=1), IMAGES)
BATCH = (L.BatchNormalization, lambda: nn.BatchNorm1d(6, eps=1e-3), SIGNAL)
LAYER = (L.LayerNormalization, lambda: nn.LayerNorm(6, eps=1e-3), SIGNAL)
POOL = (lambda: L.MaxPooling1D(2), lambda: nn.MaxPool1d(2), SIGNAL)
LEAKY = (lambda: L.LeakyReLU(negative_slope=0.3), lambda: nn.LeakyReLU(0.3), SIGNAL)

RIGHT: dict[str, Any] = {
    "dense": DENSE,
    "embedding": EMBEDDING,
    "conv1": CONV1,
    "conv2": CONV2,
    "dilated": DILATED,
    "batch": BATCH,
    "layer": LAYER,
    "pool": POOL,
    "leaky": LEAKY,
}

WRONG: dict[str, tuple[Any, Callable[[Any], Any], tuple[str, ...]]] = {
    "not transposed": (DENSE, changed("weight", lambda each: each.T.contiguous()), ("weight", "is not transposed", ".T")),
    "reshaped": (
        (lambda: L.Dense(5), lambda: nn.Linear(6, 5), SIGNAL),
        changed("weight", lambda each: each.T.reshape(5, 6).contiguous()),
        ("reshaped, not transposed",),
    ),
    "bias forgotten": (DENSE, changed("bias", torch.zeros_like), ("bias", "is zero")),
    "rounded": (DENSE, changed("weight", _halved), ("is rounded",)),
    "doubled": (DENSE, changed("weight", lambda each: 2 * each), ("multiplied by 2",)),
    "not copied": (DENSE, changed("weight", torch.randn_like), ("another array", "correlation")),
    "index shifted": (EMBEDDING, changed("weight", _shifted), ("shifted by 1 row",)),
    "padding row": (EMBEDDING, changed("weight", _without_row), ("row 0 only", "padding_idx")),
    "kernel flipped": (CONV1, changed("weight", lambda each: each.flip(2)), ("is flipped",)),
    "kernel's axes": (
        CONV2,
        changed("weight", lambda each: each.permute(0, 1, 3, 2).contiguous()),
        ("axes in the wrong order",),
    ),
    "causal padding": (CAUSAL, lambda _: None, ("padding", "causal", "F.pad(x, (2, 0))")),
    "same with a stride": (STRIDED, lambda _: None, ("padding", "F.pad(x, (0, 1, ", "same")),
    "no padding": (CONV1, option("padding", (0,)), ("padding=1",)),
    "no dilation": (DILATED, option("dilation", (1,)), ("dilation", "must be 2")),
    "batch norm's epsilon": (BATCH, option("eps", 1e-5), ("eps=0.001",)),
    "layer norm's epsilon": (LAYER, option("eps", 1e-5), ("eps=0.001",)),
    "statistics swapped": (BATCH, swapped("running_mean", "running_var"), ("running_mean", "holds the moving_variance")),
    "gamma and beta swapped": (LAYER, swapped("weight", "bias"), ("holds the beta", "holds the gamma")),
    "statistics not copied": (
        BATCH,
        lambda module: module.reset_running_stats(),
        ("running_mean", "is zero", "running_var", "is one everywhere"),
    ),
    "deviation for variance": (BATCH, changed("running_var", torch.sqrt), ("the variance must be stored",)),
    "slope": (LEAKY, option("negative_slope", 0.01), ("negative_slope", "0.3")),
}


def whole(case: Any, mistake: Callable[[Any], Any] = lambda _: None) -> tuple[Any, Any, Any]:
    make, make_port, inputs = case
    model = keras_model(make(), inputs)
    module = ported(model.layers[-1], make_port())
    mistake(module)
    first = isinstance(module, (nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.MaxPool1d))
    return model, (ChannelsFirst(module) if first else nn.Sequential(module)).eval(), inputs


@pytest.mark.parametrize("name", RIGHT)
def test_a_correct_layer_agrees(name: str) -> None:
    model, port, inputs = whole(RIGHT[name])
    for one, two in ((model, port), (port, model)):
        found = compared(one, two, inputs)
        assert found
        assert [row.verdict for row in found.rows] == ["agrees"]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_layer_is_named_with_what_mends_it(name: str) -> None:
    case, mistake, words = WRONG[name]
    found = compared(*whole(case, mistake))
    assert not found
    assert found.first.kind == "in"
    for word in words:
        assert word in found.first.fix


@pytest.mark.parametrize("name", ["not transposed", "bias forgotten", "index shifted", "batch norm's epsilon", "no dilation"])
def test_a_wrong_keras_layer_is_named_too(name: str) -> None:
    case, mistake, _ = WRONG[name]
    model, port, inputs = whole(case, mistake)
    found = compared(port, model, inputs)
    assert found.first.kind == "in"
    assert found.first.fix.startswith(
        {"batch norm's epsilon": "epsilon of", "no dilation": "dilation_rate of", "bias forgotten": "bias of"}.get(
            name, ("kernel of", "embeddings of")
        )
    )


def test_two_mistakes_of_one_layer_are_both_named_and_harmless_differences_are_not() -> None:
    model, port, inputs = whole(BATCH)
    port.inner.eps, port.inner.momentum = 1e-5, 0.5
    port.inner.bias.data.zero_()
    fix = compared(model, port, inputs).first.fix
    assert "eps=0.001" in fix
    assert "bias" in fix
    assert "momentum" not in fix
    port.inner.bias.data.copy_(torch.from_numpy(np.array(model.layers[-1].beta)))
    assert "bias" not in compared(model, port, inputs).first.fix


class InTraining(nn.Module):
    """Put a module into training mode before each call."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner.train()
        return self.inner(x)  # type: ignore[no-any-return]  # a module returns Any


def test_a_normalisation_in_training_mode_is_told_and_its_statistics_are_put_back() -> None:
    model, port, inputs = whole(BATCH)
    before = port.inner.running_mean.clone()
    port.inner = InTraining(port.inner)
    found = compared(model, port, inputs)
    assert "training mode" in found.first.fix
    assert torch.equal(port.inner.inner.running_mean, before)
    assert any("changes its own" in note and "running_mean" in note for note in found.notes)


def test_active_dropout_is_told() -> None:
    model = filled(keras.Sequential([keras.Input((11, 6)), L.Dense(5), L.Dropout(0.4), L.Dense(3)]))
    linear = [ported(layer, nn.Linear(*layer.kernel.shape)) for layer in (model.layers[0], model.layers[2])]
    right = nn.Sequential(linear[0], nn.Dropout(0.4), linear[1])
    assert compared(model, right, SIGNAL)
    found = compared(model, nn.Sequential(linear[0], InTraining(nn.Dropout(0.4)), linear[1]), SIGNAL)
    assert "dropout" in str(found.first.fix).lower() or "training mode" in found.first.fix
    assert any("draws random numbers" in note for note in found.notes)


ACTIVATIONS: dict[str, tuple[str, nn.Module | None, tuple[str, ...]]] = {
    "other": ("relu", nn.Tanh(), ("must be relu", "is tanh")),
    "softmax over time": ("softmax", nn.Softmax(dim=1), ("softmax(x, dim=2)", "softmax(x, dim=1)")),
    "form of gelu": ("gelu", nn.GELU(approximate="tanh"), ("gelu(x)", "approximate='tanh'")),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_another_activation_is_named(name: str) -> None:
    activation, module, words = ACTIVATIONS[name]
    model = keras_model(L.Dense(5, activation=activation), SIGNAL)
    assert module is not None
    port = nn.Sequential(ported(model.layers[-1], nn.Linear(6, 5)), module)
    fix = compared(model, port, SIGNAL).first.fix
    assert all(word in fix for word in words), fix
    right = {"relu": nn.ReLU(), "softmax": nn.Softmax(dim=-1), "gelu": nn.GELU()}[activation]
    assert compared(model, nn.Sequential(port[0], right), SIGNAL)


def test_another_kind_of_pooling_is_named() -> None:
    model = keras_model(L.MaxPooling1D(2), SIGNAL)
    fix = compared(model, ChannelsFirst(nn.AvgPool1d(2)), SIGNAL).first.fix
    assert "must be a max pooling" in fix


def test_flattening_in_the_other_order_of_axes_is_named() -> None:
    model = filled(keras.Sequential([keras.Input(IMAGES.shape[1:]), L.Conv2D(5, 3), L.Flatten(), L.Dense(3)]))
    conv = ported(model.layers[0], nn.Conv2d(4, 5, 3))
    dense = ported(model.layers[2], nn.Linear(5 * 7 * 6, 3))

    class Port(nn.Module):
        def __init__(self, *, last: bool) -> None:
            super().__init__()
            self.conv, self.fc, self.last = conv, dense, last

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x.permute(0, 3, 1, 2))
            return self.fc((x.permute(0, 2, 3, 1) if self.last else x).flatten(1))  # type: ignore[no-any-return]

    assert compared(model, Port(last=True), IMAGES)
    first = compared(model, Port(last=False), IMAGES).first
    assert (first.kind, first.actual) == ("between", "fc")
    assert "conv.permute(0, 2, 3, 1).flatten(1)" in first.fix
    assert "not `conv.flatten(1)`" in first.fix
