"""The losses of both sides are those of Keras's own train step: masks, sample weights, and the logits that Keras finds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import compare_training
from frameworks import GatewiseError
from frameworks.keras.tensors import to_numpy

WORDS, CLASSES, TIME, BATCH = 9, 3, 6, 4
DTYPE = {"dtype": "float64"}
WEIGHTS = (None, (BATCH, 1), (BATCH, TIME), (BATCH, TIME, 1))


class Tagger(nn.Module):
    """The class of each word, from its embedding."""

    def __init__(self, model: Any, end: Any) -> None:
        super().__init__()
        self.embedding, self.head, self.end = nn.Embedding(WORDS, 5), nn.Linear(5, CLASSES), end
        with torch.no_grad():
            self.double().embedding.weight.copy_(torch.tensor(to_numpy(model.layers[0].embeddings)))
            self.head.weight.copy_(torch.tensor(to_numpy(model.layers[-1].kernel)).T)
            self.head.bias.copy_(torch.tensor(to_numpy(model.layers[-1].bias)))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.end(self.head(self.embedding(tokens)))
        return result


def tagger(*, mask: bool = True, activation: Any = None, end: Any = nn.Identity(), scale: float = 1.0) -> tuple[Any, Tagger]:  # noqa: B008
    """Return a model and its port; a large scale makes their predictions confident, and wrong."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((TIME,), dtype="int32"),
            keras.layers.Embedding(WORDS, 5, mask_zero=mask, **DTYPE),
            keras.layers.Dense(CLASSES, activation=activation, bias_initializer="normal", **DTYPE),
        ]
    )
    model.layers[-1].kernel.assign(to_numpy(model.layers[-1].kernel) * scale)
    return model, Tagger(model, end)


def batches(weights: tuple[int, ...] | None = None, time: int = TIME) -> Any:
    def batch_of(step: int) -> Any:
        rng = np.random.default_rng(step)
        tokens = rng.integers(1, WORDS, (BATCH, time), dtype=np.int32)
        tokens[1, 4:] = tokens[2, 2:] = tokens[3, 0] = 0
        batch = tokens, rng.integers(0, CLASSES, (BATCH, time))
        return batch if weights is None else (*batch, rng.random(weights))

    return batch_of


def crossentropy(**settings: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(**{"from_logits": True, **DTYPE, **settings})


def compared(model: Any, port: nn.Module, batch_of: Any, loss: Any, **arguments: Any) -> Any:
    return compare_training(model, port, batch_of, 3, optimizer=keras.optimizers.SGD(0.125), loss=loss, **arguments)


def require_fit(model: Any, trajectory: Any, expected: tuple[list[float], list[Any]], allowed: float) -> None:
    """Require both sides to have trained as Keras's own train step did."""
    for side in ("keras", "pytorch"):
        np.testing.assert_allclose(trajectory.losses[side], expected[0], rtol=0, atol=max(allowed, 2e-6))  # fit's is float32
    for one, other in zip(model.get_weights(), expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=allowed)
    assert trajectory.farthest("pytorch").max() < allowed


@pytest.mark.backend
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("mask", "weights", "reduction"),
    [
        *((mask, weights, "sum_over_batch_size") for mask in (False, True) for weights in WEIGHTS),
        *((True, weights, "mean_with_sample_weight") for weights in (None, (BATCH, TIME))),
        (True, (BATCH, TIME), "sum"),
    ],
)
def test_masks_and_weights_enter_the_loss_as_in_fit(fit: Any, *, mask: bool, weights: Any, reduction: str) -> None:
    on_tensorflow = keras.backend.backend() == "tensorflow"
    model, port = tagger(mask=mask)
    batch_of, loss = batches(weights), crossentropy(reduction=reduction)
    if not on_tensorflow and mask and weights == (BATCH, 1):  # Keras's own train step fails there
        expected = fit(model, loss, lambda step: (*batch_of(step)[:2], np.tile(batch_of(step)[2], TIME)), 3)
    else:
        expected = fit(model, loss, batch_of, 3)
    trajectory = compared(model, port, batch_of, loss)
    require_fit(model, trajectory, expected, 1e-12 if on_tensorflow else 1e-5)
    assert any("mask" in note for note in trajectory.notes) == mask
    assert not any("differ" in note or "look at" in note for note in trajectory.notes)


@pytest.mark.backend
@pytest.mark.usefixtures("eagerly")
def test_the_callers_weights_are_left_as_they_are() -> None:
    kept = np.random.default_rng(2).random((BATCH, TIME))
    weights = kept.copy()
    compared(*tagger(), lambda step: (*batches()(step), weights), crossentropy())
    assert np.array_equal(weights, kept)


@pytest.mark.usefixtures("eagerly")
def test_one_weight_per_sample_counts_as_in_fit_where_a_sample_has_one_loss(fit: Any) -> None:
    layer = keras.layers.Dense(2, **DTYPE)
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layer])
    linear = nn.Linear(4, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(to_numpy(layer.kernel)).T)
        linear.bias.zero_()

    def batch_of(step: int) -> Any:
        rng = np.random.default_rng(step)
        return rng.normal(size=(5, 4)), rng.normal(size=(5, 2)), rng.random(5)

    loss = keras.losses.MeanSquaredError(**DTYPE)
    expected = fit(model, loss, batch_of, 3)
    require_fit(model, compared(model, linear, batch_of, loss), expected, 1e-12)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("time", [TIME, BATCH])  # as long as the batch, Keras would weight time steps
def test_weights_per_sample_that_keras_would_broadcast_along_time_are_refused(time: int) -> None:
    with pytest.raises(GatewiseError, match=r"but has \(4,\)\. One value per sample has the shape \(4, 1\)"):
        compared(*tagger(), batches((BATCH,), time), crossentropy())


def plain(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the loss of each step by torch's own rule."""
    return nn.functional.cross_entropy(prediction.flatten(0, 1), target.flatten(), reduction="none").reshape(target.shape)


WRONG: dict[str, Any] = {
    "ignores the mask": lambda p, t, mask, sample_weight: (plain(p, t) * sample_weight).mean(),
    "divides by all steps": lambda p, t, mask, sample_weight: (plain(p, t) * sample_weight * mask).mean(),
    "divides by the weights": lambda p, t, mask, sample_weight: (
        (plain(p, t) * sample_weight * mask).sum() / (sample_weight * mask).sum()
    ),
    "ignores the weights": lambda p, t, mask, sample_weight: plain(p, t)[mask].mean(),
}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("mistake", WRONG)
def test_a_loss_in_torch_that_counts_otherwise_is_caught_before_the_first_step(mistake: str) -> None:
    trajectory = compared(*tagger(), batches((BATCH, TIME)), crossentropy(), torch_loss=WRONG[mistake])
    assert trajectory.loss_gap("pytorch")[0] > 1e-3
    assert trajectory.farthest("pytorch")[-1] > 1e-4
    assert any("the predictions for the first batch agree, but the losses are" in note for note in trajectory.notes)


@pytest.mark.usefixtures("eagerly")
def test_a_loss_in_torch_that_counts_as_keras_does_agrees() -> None:
    def right(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, sample_weight: torch.Tensor) -> torch.Tensor:
        return (plain(prediction, target) * sample_weight)[mask].mean()

    trajectory = compared(*tagger(), batches((BATCH, TIME)), crossentropy(), torch_loss=right)
    assert trajectory.loss_gap("pytorch").max() < 1e-12
    assert not any("differ" in note or "look at" in note for note in trajectory.notes)


def softmax(logits: torch.Tensor) -> torch.Tensor:
    return torch.softmax(logits, -1)


def onehot(batch_of: Any) -> Any:
    return lambda step: (batch_of(step)[0], np.eye(CLASSES)[batch_of(step)[1]])


ENDS: dict[str, tuple[Any, Any, Any, Any]] = {
    "logits taken for probabilities": (None, nn.Identity(), "sparse_categorical_crossentropy", batches()),
    "one-hot logits taken for probabilities": (None, nn.Identity(), "categorical_crossentropy", onehot(batches())),
    "logits taken for two classes": (None, nn.Identity(), "binary_crossentropy", onehot(batches())),
    "softmax": ("softmax", softmax, "sparse_categorical_crossentropy", batches()),
    "softmax, one-hot": ("softmax", nn.Softmax(-1), "categorical_crossentropy", onehot(batches())),
    "softmax taken for logits": ("softmax", nn.Softmax(-1), crossentropy(), batches()),
    "sigmoid": ("sigmoid", torch.sigmoid, "binary_crossentropy", onehot(batches())),
    "sigmoid taken for a softmax": ("sigmoid", nn.Sigmoid(), "categorical_crossentropy", onehot(batches())),
    "softmax of unknown logits": ("softmax", lambda x: softmax(x)[:], "sparse_categorical_crossentropy", batches()),
}
"""The end of the Keras model, of its port, the loss, and its batches."""


@pytest.mark.usefixtures("floatx64")
@pytest.mark.filterwarnings("ignore:.*received `from_logits=True`")  # by Keras, where the logits behind are used
@pytest.mark.parametrize("end", ENDS)
def test_whatever_a_model_ends_with_the_port_trains_as_in_fit(fit: Any, end: str) -> None:
    """Compiled, as `fit` is: there Keras also looks at the operation that a prediction comes from."""
    activation, in_torch, loss, batch_of = ENDS[end]
    scale = 10.0 if "unknown" in end else 300.0  # larger logits underflow to probabilities of 0, which are refused
    model, port = tagger(activation=activation, end=in_torch, scale=scale, mask=False)
    expected = fit(model, loss, batch_of, 3)
    trajectory = compared(model, port, batch_of, loss)
    require_fit(model, trajectory, expected, 1e-9)
    assert any("takes probabilities (from_logits=False)" in note for note in trajectory.notes) == (activation is None)
    assert any("Those of the module are not known" in note for note in trajectory.notes) == ("unknown" in end)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("activation", "in_torch"), [("softmax", softmax), ("sigmoid", torch.sigmoid)])
def test_probabilities_on_one_side_and_logits_on_the_other_are_refused(
    activation: str, in_torch: Any, *, swapped: bool
) -> None:
    model, port = tagger(activation=None if swapped else activation, end=in_torch if swapped else nn.Identity())
    subject = "the Keras model" if swapped else "the module"
    with pytest.raises(GatewiseError, match=f"{subject} must return a {activation} of its logits, as the other side does"):
        compared(model, port, onehot(batches()), "mse")


@pytest.mark.usefixtures("eagerly")
def test_a_mask_that_does_not_fit_the_losses_is_refused() -> None:
    """Keras drops the last axis of the prediction for these targets, and averages over time."""
    inputs = keras.Input((TIME,), dtype="int32")
    embedding, layer = keras.layers.Embedding(WORDS, 5, mask_zero=True, **DTYPE), keras.layers.Dense(1, **DTYPE)
    model = keras.Model(inputs, layer(embedding(inputs)))
    port = nn.Sequential(nn.Embedding(WORDS, 5), nn.Linear(5, 1)).double()
    with pytest.raises(GatewiseError, match=r"mask must have the shape \(4,\) of the losses, .* but has \(4, 6\)"):
        compared(model, port, lambda step: (batches()(step)[0], np.ones((BATCH, TIME))), keras.losses.MeanSquaredError(**DTYPE))


@pytest.mark.usefixtures("eagerly")
def test_a_model_of_two_outputs_is_refused() -> None:
    inputs = keras.Input((4,), dtype="float64")
    layer = keras.layers.Dense(2, **DTYPE)
    model = keras.Model(inputs, [layer(inputs), layer(inputs)])
    with pytest.raises(GatewiseError, match="the Keras model must return one tensor, but returns a list"):
        compared(model, nn.Linear(4, 2).double(), lambda _: (np.ones((3, 4)), np.ones((3, 2))), "mse")
