"""Losses in torch equal Keras's, gradients included."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks import GatewiseError, loss_like
from frameworks.keras.tensors import to_numpy

SHAPE = (4, 5, 6)
"""(batch, time, class)"""

BINARY = {"BinaryCrossentropy"}
SPARSE = {"SparseCategoricalCrossentropy"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("MeanSquaredError", {}),
    ("MeanAbsoluteError", {"reduction": "sum"}),
    ("Huber", {"delta": 0.3}),
    ("LogCosh", {"reduction": "none"}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("BinaryCrossentropy", {}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 0}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0, "reduction": "sum"}),
]


def draw(name: str, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Predictions and targets that the loss takes."""
    rng = np.random.default_rng(3)
    prediction = rng.normal(size=SHAPE)
    if not settings.get("from_logits") and "Crossentropy" in name:
        prediction = 1 / (1 + np.exp(-prediction))
        if name not in BINARY:
            prediction /= prediction.sum(-1, keepdims=True)
    if name in SPARSE:
        return prediction, rng.integers(0, SHAPE[-1], SHAPE[:-1])
    target = rng.random(SHAPE)
    return prediction, target if name != "CategoricalCrossentropy" else target / target.sum(-1, keepdims=True)


@pytest.mark.backend
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_the_value_is_that_of_keras(name: str, settings: dict[str, Any]) -> None:
    prediction, target = draw(name, settings)
    theirs = getattr(keras.losses, name)(dtype="float64", **settings)
    ours = loss_like(theirs)(torch.tensor(prediction), torch.tensor(target))
    allowed = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-6
    np.testing.assert_allclose(ours.numpy(), to_numpy(theirs(target, prediction)), rtol=allowed, atol=allowed)


@pytest.mark.parametrize(("name", "settings"), CASES[:6])
@pytest.mark.parametrize("shapes", [((4, 1), (4,)), ((4,), (4, 1)), ((4, 5, 1), (4, 5)), ((4, 5), (4, 5, 1))])
def test_a_last_axis_of_one_is_not_broadcast_to_a_table(name: str, settings: dict[str, Any], shapes: Any) -> None:
    rng = np.random.default_rng(5)
    prediction, target = (rng.uniform(0.1, 0.9, shape) for shape in shapes)
    theirs = getattr(keras.losses, name)(dtype="float64", **settings)
    ours = loss_like(theirs)(torch.tensor(prediction), torch.tensor(target))
    np.testing.assert_allclose(ours.numpy(), to_numpy(theirs(target, prediction)), rtol=1e-6)


@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[1].get("reduction") != "none"])
def test_the_gradient_is_that_of_keras(name: str, settings: dict[str, Any]) -> None:
    import tensorflow as tf

    prediction, target = draw(name, settings)
    theirs = getattr(keras.losses, name)(dtype="float64", **settings)
    variable = tf.Variable(prediction)
    with tf.GradientTape() as tape:
        loss = theirs(target, variable)
    tensor = torch.tensor(prediction, requires_grad=True)
    loss_like(theirs)(tensor, torch.tensor(target)).backward()
    assert tensor.grad is not None
    expected, actual = tape.gradient(loss, variable).numpy(), tensor.grad.numpy()
    if name in SPARSE | {"CategoricalCrossentropy"} and not settings.get("from_logits"):
        # Which of all vectors along a ray a probability vector is does not matter, and the backends differ in it.
        expected, actual = (gradient - (gradient * prediction).sum(-1, keepdims=True) for gradient in (expected, actual))
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("name", "settings"), [CASES[0], CASES[8], CASES[9]])
def test_a_mask_counts_as_the_one_that_a_prediction_carries(name: str, settings: dict[str, Any]) -> None:
    from keras.src.backend import set_keras_mask

    prediction, target = draw(name, settings)
    mask = np.random.default_rng(5).random(SHAPE[:2]) < 0.6
    theirs = getattr(keras.losses, name)(dtype="float64", **settings)
    tensor = keras.ops.convert_to_tensor(prediction)
    set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
    expected = float(theirs(target, tensor))
    ours = loss_like(theirs)
    given = torch.tensor(prediction), torch.tensor(target)
    assert abs(float(ours(*given, mask=torch.tensor(mask))) - expected) < 1e-12
    assert abs(float(ours(*given)) - expected) > 1e-3


def test_torchs_own_loss_of_that_name_differs_if_classes_lie_along_the_last_axis() -> None:
    prediction, target = draw("SparseCategoricalCrossentropy", {"from_logits": True})
    square = torch.tensor(prediction[:, :, :5]), torch.tensor(target % 5)
    ours = loss_like(keras.losses.SparseCategoricalCrossentropy(from_logits=True))(*square)
    assert abs(float(torch.nn.CrossEntropyLoss()(*square)) - float(ours)) > 1e-2


@pytest.mark.parametrize(
    "name", ["mse", "mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "binary_crossentropy"]
)
def test_a_name_stands_for_keras_defaults(name: str) -> None:
    prediction, target = draw("BinaryCrossentropy", {})
    expected = to_numpy(keras.ops.mean(keras.losses.get(name)(target, prediction)))
    assert abs(float(loss_like(name)(torch.tensor(prediction), torch.tensor(target))) - expected) < 1e-6


class Own(keras.losses.Loss):  # type: ignore[misc]
    """A user's own loss."""


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (keras.losses.Poisson(), "the loss must be one of Keras's MeanSquaredError, .*, but is a Poisson of keras"),
        (Own(), "but is a Own of"),
        ("cosine_similarity", "but is 'cosine_similarity'"),
        ("no_such_loss", "but is 'no_such_loss'"),
        (3, "must be a loss object of Keras or its name, but is 3"),
        (keras.losses.CategoricalCrossentropy(axis=1), "must be -1, the last, but is 1"),
        (keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"), "but is 'mean_with_sample_weight'"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(loss: Any, message: str) -> None:
    with pytest.raises(GatewiseError, match=message):
        loss_like(loss)
