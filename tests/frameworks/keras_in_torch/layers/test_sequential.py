"""Models pass on masks as in Keras: Masking, Embedding, Dropout, Sequential."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import emulate
from frameworks.keras_in_torch.layers import KerasDropout, KerasEmbedding, KerasGRU, KerasLSTM, KerasMasking, KerasSequential

IDS = np.array([[1, 2, 0, 3, 0], [0, 0, 0, 0, 0], [4, 5, 6, 1, 2]])
X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32) * (IDS > 0)[..., None]
X[2, 3, 0] = 0  # a single feature does not mask a step

Model = Callable[[Any], Any]
MODELS: dict[str, tuple[Model, np.ndarray[Any, Any]]] = {
    "embedding": (
        lambda of: of.Sequential(
            [
                of.layers.Embedding(7, 3, mask_zero=True),
                of.layers.LSTM(4, return_sequences=True),
                of.layers.Dropout(0.5),
                of.layers.Bidirectional(of.layers.GRU(5)),
            ]
        ),
        IDS,
    ),
    "embedding without a mask": (
        lambda of: of.Sequential([of.layers.Embedding(7, 3), of.layers.LSTM(4, return_sequences=True), of.layers.GRU(4)]),
        IDS,
    ),
    "masking": (
        lambda of: of.Sequential([of.layers.Masking(), of.layers.LSTM(4, return_sequences=True), of.layers.SimpleRNN(4)]),
        X,
    ),
    "masking another value": (lambda of: of.Sequential([of.layers.Masking(0.25), of.layers.GRU(4)]), np.where(X == 0, 0.25, X)),
    "one in another": (
        lambda of: of.Sequential(
            [of.Sequential([of.layers.Masking(), of.layers.LSTM(4, return_sequences=True)]), of.layers.GRU(4)]
        ),
        X,
    ),
}


@pytest.mark.backend
@pytest.mark.parametrize(
    ("library", "name"), [*(("keras", name) for name in MODELS), ("tf_keras", "embedding"), ("tf_keras", "masking")]
)
def test_a_model_returns_what_keras_s_does(name: str, library: str, randomise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of = import_module(library)
    make, inputs = MODELS[name]
    model = make(of)
    model(inputs)
    module = emulate(randomise(model))
    expected = model(inputs)
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    np.testing.assert_allclose(module(torch.from_numpy(inputs)).detach(), expected, atol=1e-5)
    for layer in (KerasMasking, KerasEmbedding):
        monkeypatch.setattr(layer, "compute_mask", lambda self, x, mask=None: torch.ones(x.shape[:2]))
    unmasked = name == "embedding without a mask"
    assert (np.abs(module(torch.from_numpy(inputs)).detach().numpy() - expected).max() > 1e-3) != unmasked


@pytest.mark.backend
def test_a_list_of_layers_becomes_a_model_that_takes_a_mask(randomise: Any) -> None:
    keras = import_module("keras")
    layers = [keras.layers.LSTM(4, return_sequences=True), keras.layers.GRU(3, return_sequences=True)]
    mask = IDS > 0
    steps = keras.ops.convert_to_tensor(mask)
    layers[1](layers[0](X))
    randomise(layers)
    expected = keras.ops.convert_to_numpy(layers[1](layers[0](X, mask=steps), mask=steps))
    module = emulate(layers)
    np.testing.assert_allclose(module(torch.from_numpy(X), mask=torch.from_numpy(mask)).detach(), expected, atol=1e-5)
    assert np.abs(module(torch.from_numpy(X)).detach().numpy() - expected).max() > 1e-3


@pytest.mark.backend
def test_a_layer_that_occurs_twice_has_one_set_of_weights() -> None:
    keras = import_module("keras")
    twice, first = keras.layers.GRU(2, return_sequences=True), keras.layers.LSTM(2, return_sequences=True)
    layers = [first, twice, twice]
    inputs = keras.ops.convert_to_tensor(X)
    expected = twice(twice(first(inputs)))
    module = emulate(layers)
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach(), keras.ops.convert_to_numpy(expected), atol=1e-5)
    assert module[1] is module[2]
    assert len(list(module.parameters())) == 8


def test_a_step_is_masked_and_zeroed_if_all_its_features_match() -> None:
    x = torch.tensor([[[0.5, 0.5], [0.5, 1.0], [2.0, 3.0]]])
    masking = KerasMasking(0.5)
    assert masking.compute_mask(x).tolist() == [[False, True, True]]
    torch.testing.assert_close(masking(x), torch.tensor([[[0.0, 0.0], [0.5, 1.0], [2.0, 3.0]]]))
    assert "0.5" in repr(masking)


def test_an_embedding_masks_id_0_and_trains_its_row() -> None:
    ids = torch.tensor([[0, 2]])
    embedding = KerasEmbedding(4, 3, mask_zero=True)
    assert (embedding.weight.abs() <= 0.05).all()
    mask = embedding.compute_mask(ids)
    assert mask is not None
    assert mask.tolist() == [[False, True]]
    assert KerasEmbedding(4, 3).compute_mask(ids) is None
    embedding(ids).sum().backward()
    assert embedding.weight.grad is not None
    assert embedding.weight.grad[0].all()


def test_the_training_argument_of_dropout_overrides_the_module_s_mode() -> None:
    model = KerasSequential([KerasGRU(4, input_size=2, return_sequences=True), KerasDropout(0.5)])
    x = torch.from_numpy(X) + 1
    zeros = {
        (mode, training): bool((model.train(mode)(x, training=training) == 0).any())
        for mode in (True, False)
        for training in (None, True, False)
    }
    assert zeros == {
        (True, None): True,
        (True, True): True,
        (True, False): False,
        (False, None): False,
        (False, True): True,
        (False, False): False,
    }


def test_a_model_in_another_runs_once_and_keeps_its_states() -> None:
    inner: Any = KerasSequential([KerasGRU(4, input_size=2, stateful=True, return_sequences=True)])
    model = KerasSequential([inner, nn.Identity()])
    x = torch.from_numpy(X)
    expected = inner[0](x)
    inner[0].reset_state()
    torch.testing.assert_close(model(x), expected)


def test_torch_s_own_layers_keep_the_mask() -> None:
    layers: list[Any] = [KerasMasking(), nn.LayerNorm(2), KerasLSTM(4, input_size=2)]
    x = torch.from_numpy(X)
    expected = layers[2](layers[1](layers[0](x)), mask=layers[0].compute_mask(x))
    torch.testing.assert_close(KerasSequential(layers)(x), expected)
