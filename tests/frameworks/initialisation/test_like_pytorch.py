"""A Keras layer starts from the distributions that torch's own modules start from.

Covers: `frameworks/initialisation.py`, `frameworks/torch_in_keras/starts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from frameworks import initialise_like_pytorch

INPUT, UNITS, SEEDS = 30, 64, 24
TORCH = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}

pytestmark = pytest.mark.backend


def genuine(name: str, input_size: int = INPUT) -> list[Any]:
    """Return the kernels, recurrent kernels and biases of many new torch modules, in Keras's layout."""
    import torch

    torch.manual_seed(5)
    modules: list[Any] = [getattr(torch.nn, TORCH[name])(input_size, UNITS) for _ in range(SEEDS)]
    rows = []
    for module in modules:
        kernel, recurrent, one, other = (parameter.detach().numpy() for parameter in module.parameters())
        rows.append((kernel.T, recurrent.T, np.stack([one, other]) if name == "GRU" else one + other))
    return [np.stack(arrays) for arrays in zip(*rows, strict=True)]


def drawn(layer: Any, seeds: int = SEEDS) -> list[Any]:
    """Return every weight of a layer over many seeds, (seed, ...)."""
    rows = []
    for seed in range(seeds):
        initialise_like_pytorch(layer, seed=seed)
        rows.append([np.array(array) for array in layer.get_weights()])
    return [np.stack(arrays) for arrays in zip(*rows, strict=True)]


def built(name: str, **arguments: Any) -> Any:
    import keras

    layer = getattr(keras.layers, name)(UNITS, **arguments)
    layer.build((None, None, INPUT))
    return layer


def same(actual: Any, wanted: Any, alike: Any) -> bool:
    return bool(alike(actual, wanted) and abs(np.abs(actual).max() / np.abs(wanted).max() - 1) < 0.05)


@pytest.mark.parametrize("name", TORCH)
def test_a_recurrent_layer_starts_as_torch_s_module(name: str, alike: Any) -> None:
    layer = built(name, kernel_initializer="ones", bias_initializer="he_normal")
    for actual, wanted in zip(drawn(layer), genuine(name), strict=True):
        assert actual[0].shape == wanted[0].shape
        assert same(actual, wanted, alike)
        assert len(np.unique(actual)) > 0.9 * actual.size  # each number is drawn separately


def test_the_classic_mistakes_are_told_apart(alike: Any) -> None:
    rng = np.random.default_rng(0)
    kernel, recurrent, bias = genuine("LSTM")
    bound = UNITS**-0.5
    for wrong in (rng.uniform(-bound, bound, bias.shape), rng.uniform(-2 * bound, 2 * bound, bias.shape), np.zeros(bias.shape)):
        assert not same(wrong, bias, alike)  # one bias, one of twice the range, and Keras's own
    assert not same(rng.uniform(-(INPUT**-0.5), INPUT**-0.5, kernel.shape), kernel, alike)  # by the input size, as for a Linear
    own = drawn_by_keras()
    assert not same(own[0], kernel, alike)
    assert not same(own[1], recurrent, alike)


def drawn_by_keras() -> list[Any]:
    return [np.array(array) for array in built("LSTM").get_weights()]


ALONE, SUM = (UNITS, 1), (UNITS, 2)
FORMS: dict[str, tuple[Callable[[Any], Any], list[tuple[int, int]]]] = {
    "GRU, reset before": (lambda kinds: kinds.GRU(UNITS, reset_after=False), [ALONE, ALONE, ALONE]),
    "Bidirectional": (lambda kinds: kinds.Bidirectional(kinds.LSTM(UNITS)), [ALONE, ALONE, SUM] * 2),
    "stacked": (
        lambda kinds: kinds.RNN([kinds.LSTMCell(9), kinds.GRUCell(UNITS)]),
        [(9, 1), (9, 1), (9, 2), ALONE, ALONE, ALONE],
    ),
    "no bias": (lambda kinds: kinds.SimpleRNN(UNITS, use_bias=False), [ALONE, ALONE]),
    "cell": (lambda kinds: kinds.LSTMCell(UNITS), [ALONE, ALONE, SUM]),
}
"""What the range of each weight depends on: the hidden size, and whether it is the sum of two draws."""


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_recurrent_layer_is_drawn_whole(form: str) -> None:
    import keras

    make, expected = FORMS[form]
    layer = make(keras.layers)
    layer.build((None, INPUT) if form == "cell" else (None, None, INPUT))
    for array, (units, terms) in zip(drawn(layer, seeds=8), expected, strict=True):
        reach = np.abs(array).max() * units**0.5
        assert 0.9 < reach <= 1 if terms == 1 else 1.6 < reach <= 2
        assert not any(np.array_equal(array[0], other) for other in array[1:])


PLAIN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[int | None, ...]]] = {
    "Dense": (lambda layers: layers.Dense(500), lambda nn: nn.Linear(200, 500), (None, 200)),
    "Embedding": (lambda layers: layers.Embedding(300, 50, mask_zero=True), lambda nn: nn.Embedding(300, 50), (None, None)),
    "Conv1D": (lambda layers: layers.Conv1D(500, 9), lambda nn: nn.Conv1d(20, 500, 9), (None, None, 20)),
    "Conv2D": (
        lambda layers: layers.Conv2D(500, 3, groups=5),
        lambda nn: nn.Conv2d(20, 500, 3, groups=5),
        (None, None, None, 20),
    ),
    "LayerNormalization": (lambda layers: layers.LayerNormalization(), lambda nn: nn.LayerNorm(8), (None, 8)),
    "BatchNormalization": (lambda layers: layers.BatchNormalization(), lambda nn: nn.BatchNorm1d(8), (None, 8)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_layer_around_them_starts_as_torch_s(name: str, alike: Any) -> None:
    import keras
    import torch

    make, make_torch, shape = PLAIN[name]
    layer = make(keras.layers)
    layer.build(shape)
    own = [np.array(array) for array in layer.get_weights()]
    layer.set_weights([np.full(array.shape, 7.0) for array in own])
    initialise_like_pytorch(layer, seed=0)
    torch.manual_seed(5)
    module = make_torch(torch.nn)
    wanted = [*module.parameters(), *(buffer for buffer in module.buffers() if buffer.ndim)]
    for actual, keras_s, tensor in zip(layer.get_weights(), own, wanted, strict=True):
        assert alike(actual, tensor.detach().numpy())
        assert alike(keras_s, actual) == ("Norm" in name)


def test_a_model_is_drawn_whole_frozen_layers_too_and_shared_ones_once() -> None:
    import keras

    class Twice(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embed = keras.layers.Embedding(30, 8)
            self.body = keras.Sequential([keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))])
            self.out = keras.layers.TimeDistributed(keras.layers.Dense(3))
            self.again = self.out

        def call(self, inputs: Any) -> Any:
            return self.again(self.body(self.embed(inputs)))

    model = Twice()
    model(np.zeros((2, 3), int))
    model.body.trainable = False
    before = [np.array(array) for array in model.get_weights()]
    assert initialise_like_pytorch(model, seed=0) is model
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))
    assert [variable.trainable for variable in model.body.weights] == [False] * 6
    inputs = keras.Input((None, 8))
    functional = keras.Model(inputs, model.out(model.body(inputs)))
    shared = [np.array(array) for array in model.body.get_weights()]
    initialise_like_pytorch(functional, seed=1)
    assert all((one != other).any() for one, other in zip(shared, model.body.get_weights(), strict=True))


def test_a_seed_repeats_the_draw_and_leaves_every_global_state_alone(next_numbers: Any) -> None:
    import keras
    import torch

    layer = built("LSTM")

    def after(seed: int | None) -> tuple[list[float], Any]:
        keras.utils.set_random_seed(3)
        torch.manual_seed(3)
        if seed != -1:
            initialise_like_pytorch(layer, seed=seed)
        return next_numbers(), np.array(layer.get_weights()[1])

    untouched, _ = after(-1)
    (numbers, one), (_, other), (_, third) = after(0), after(0), after(2**40)
    assert numbers == untouched
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)
    (drawn_from, first), (_, second) = after(None), after(None)
    assert drawn_from != untouched  # Python's random, where Keras's own initialisers draw their seeds
    assert np.array_equal(first, second)


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16", "float16"])
def test_every_floating_dtype_is_drawn_into(dtype: str) -> None:
    import keras

    layers = [keras.layers.Dense(6, dtype=one) for one in ("float32", dtype)]
    for layer in layers:
        layer.build((None, 5))
        initialise_like_pytorch(layer, seed=0)
    wide, actual = (layer.kernel.numpy() if hasattr(layer.kernel, "numpy") else np.array(layer.kernel) for layer in layers)
    assert str(actual.dtype) == dtype.removeprefix("mixed_").replace("16", "32" if "mixed" in dtype else "16")
    if dtype == "float64":
        assert (actual != actual.astype("float32")).any()
    else:
        assert np.array_equal(actual, wide.astype(actual.dtype))


def test_an_emulated_module_of_torch_starts_as_torch_s(alike: Any) -> None:
    from frameworks.torch_in_keras.layers import TorchLSTM

    layer = TorchLSTM(INPUT, UNITS, num_layers=2, proj_size=3)
    layer.build()
    for weight in layer.weights:
        weight.assign(np.full(weight.shape, 7.0))
    initialise_like_pytorch(layer, seed=0)
    kernel, _, _ = genuine("LSTM")
    assert all(alike(weight, kernel) for weight in layer.get_weights())


def _unbuilt() -> Any:
    import keras

    return keras.Sequential([keras.layers.Embedding(3, 4), keras.layers.LSTM(5)])


def _attention() -> Any:
    import keras

    inputs = keras.Input((3, 4))
    hidden = keras.layers.Dense(4)(inputs)
    return keras.Model(inputs, keras.layers.MultiHeadAttention(2, 2, name="attend")(hidden, hidden))


def _custom() -> Any:
    import keras

    class Scaled(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(1,), name="factor")
            self.inner = keras.layers.Dense(2)
            self.inner.build(shape)

    layer = Scaled(name="scaled")
    layer.build((None, 3))
    return layer


def _torch() -> Any:
    import torch

    return torch.nn.Linear(2, 2)


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "unbuilt": (_unbuilt, ("must be built", "Call the layer or model once")),
    "attention": (_attention, ("attend/", "EinsumDense")),
    "a weight of one's own": (_custom, ("scaled/factor", "Scaled")),
    "torch": (_torch, ("torch.nn.modules.linear.Linear", "initialise_like_keras")),
    "a list": (lambda: [1], ("builtins.list",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unknown_weight_is_refused_by_name_before_the_first_write(case: str, refused: Any) -> None:
    make, said = REFUSED[case]
    layer = make()
    kept = [np.array(array) for array in layer.get_weights()] if hasattr(layer, "get_weights") else []
    with refused(*said):
        initialise_like_pytorch(layer, seed=0)
    assert all(np.array_equal(one, other) for one, other in zip(kept, layer.get_weights() if kept else [], strict=True))
