"""Losses in torch equal Keras's, gradients included."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks import GatewiseError, loss_like
from frameworks.keras.tensors import to_numpy
from frameworks.keras_in_torch.losses.sources import RememberedLogits

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
    ("SparseCategoricalCrossentropy", {}),
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
    np.testing.assert_allclose(tensor.grad.numpy(), tape.gradient(loss, variable).numpy(), rtol=1e-11, atol=1e-14)


REDUCTIONS = ("sum_over_batch_size", "mean_with_sample_weight", "sum", "none")
CROSSENTROPIES = ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")


@pytest.mark.parametrize(("name", "settings"), [CASES[0], CASES[8], CASES[9]])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, (4, 1), (4, 5), (4, 5, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_masks_and_sample_weights_count_as_in_keras(
    name: str, settings: dict[str, Any], reduction: str, weights: Any, *, masked: bool
) -> None:
    from keras.src.backend import set_keras_mask

    prediction, target = draw(name, settings)
    rng = np.random.default_rng(5)
    mask = rng.random(SHAPE[:2]) < 0.6 if masked else None
    weight = rng.random(weights) if weights else None
    theirs = getattr(keras.losses, name)(dtype="float64", **settings, reduction=reduction)
    tensor = keras.ops.convert_to_tensor(prediction)
    if mask is not None:
        set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
    expected = to_numpy(theirs(target, tensor, sample_weight=weight))
    ours = loss_like(theirs)
    given = torch.tensor(prediction), torch.tensor(target)
    beside = {key: torch.tensor(array) for key, array in (("mask", mask), ("sample_weight", weight)) if array is not None}
    np.testing.assert_allclose(ours(*given, **beside).numpy(), expected, rtol=1e-12, atol=1e-12)
    for key in beside:  # left out, each shows
        if (key, reduction, masked) != ("sample_weight", "mean_with_sample_weight", True):
            without = ours(*given, **{other: array for other, array in beside.items() if other != key})
            assert np.abs(without.numpy() - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("mask", torch.ones(4, 5), "the mask must be boolean, True where an element counts, but is torch.float32"),
        ("mask", torch.ones(5, 4, dtype=torch.bool), r"mask must have the shape \(4, 5\) of the losses.*but has \(5, 4\)"),
        ("sample_weight", torch.ones(4), r"but has \(4,\)\. One value per sample has the shape \(4, 1\)"),
        ("sample_weight", torch.ones(5), r"but has \(5,\)"),
    ],
)
def test_a_mask_or_weights_that_would_be_broadcast_along_the_wrong_axis_are_refused(
    name: str, given: torch.Tensor, message: str
) -> None:
    prediction, target = draw("MeanSquaredError", {})
    with pytest.raises(GatewiseError, match=message):
        loss_like("mse")(torch.tensor(prediction), torch.tensor(target), **{name: given})


def test_a_mask_for_whole_samples_gives_the_mean_over_their_elements() -> None:
    prediction, target = (torch.tensor(array) for array in draw("MeanSquaredError", {}))
    kept = torch.tensor([True, True, False, True])
    expected = ((prediction - target) ** 2)[kept].mean()
    assert abs(loss_like("mse")(prediction, target, mask=kept[:, None]) - expected) < 1e-12


ENDS: dict[str, tuple[Any, Any]] = {
    "plain": (lambda x: x + 0, lambda x: x + 0),
    "softmax": (keras.activations.softmax, lambda x: torch.softmax(x, -1)),
    "sigmoid": (keras.activations.sigmoid, torch.sigmoid),
}
"""What a model ends with, in Keras and in torch."""


def keras_value(theirs: Any, target: Any, logits: Any, end: str, *, compiled: bool) -> tuple[float, Any]:
    """Return the loss and its gradient, by Keras itself."""
    import tensorflow as tf

    variable = tf.Variable(logits)

    def value() -> Any:
        with tf.GradientTape() as tape:
            loss = theirs(target, ENDS[end][0](variable))
        return loss, tape.gradient(loss, variable)

    loss, gradient = (tf.function(value) if compiled else value)()
    return float(loss), gradient.numpy()


@pytest.mark.parametrize("scale", [1.0, 8.0])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("name", CROSSENTROPIES)
@pytest.mark.filterwarnings("ignore:.*received `from_logits=True`")  # by Keras, where the logits behind are used
def test_a_crossentropy_is_that_of_keras_on_tensorflow_whatever_the_model_ends_with(
    name: str, end: str, scale: float, *, from_logits: bool
) -> None:
    rng = np.random.default_rng(8)
    logits = rng.normal(size=SHAPE) * scale
    target = rng.integers(0, SHAPE[-1], SHAPE[:-1]) if name in SPARSE else rng.dirichlet(np.ones(SHAPE[-1]), SHAPE[:-1])
    theirs = getattr(keras.losses, name)(dtype="float64", from_logits=from_logits)
    expected, slope = keras_value(theirs, target, logits, end, compiled=True)
    assert abs(keras_value(theirs, target, logits, end, compiled=False)[0] - expected) < 1e-12
    tensor = torch.tensor(logits, requires_grad=True)
    with RememberedLogits():
        remembered = ENDS[end][1](tensor)
    predictions = {"remembered": remembered, "alone": ENDS[end][1](tensor)}
    if end not in ("plain", "sigmoid" if name in BINARY else "softmax"):
        with pytest.raises(GatewiseError, match=f"comes out of a {end}, whose logits Keras on TensorFlow would use"):
            loss_like(theirs)(predictions.pop("alone"), torch.tensor(target))
    for known, prediction in predictions.items():
        allowed = 1e-9 if known == "alone" and end == "sigmoid" else 1e-12  # a sigmoid near 1 has lost digits of its logit
        loss = loss_like(theirs)(prediction, torch.tensor(target))
        (gradient,) = torch.autograd.grad(loss, tensor)
        assert abs(loss.item() - expected) <= allowed * max(1, expected)
        np.testing.assert_allclose(gradient.numpy(), slope, rtol=0, atol=allowed)


def test_outputs_that_are_no_probabilities_are_clipped_in_the_order_of_the_backend() -> None:
    """Keras clips sparse classes first on TensorFlow, and normalises them first elsewhere."""
    logits = np.array([[2.0, -1.0, 0.5], [-3.0, 1.0, 4.0]])
    target = np.array([1, 0])
    theirs = keras.losses.SparseCategoricalCrossentropy(dtype="float64")
    inside = np.clip(logits, 1e-7, 1 - 1e-7)
    expected = -np.log(inside / inside.sum(-1, keepdims=True))[[0, 1], target].mean()
    loss = loss_like(theirs)
    assert abs(loss(torch.tensor(logits), torch.tensor(target)).item() - expected) < 1e-12
    loss.backend = "torch"
    normalised = np.clip(logits / logits.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    expected = -np.log(normalised)[[0, 1], target].mean()
    assert abs(loss(torch.tensor(logits), torch.tensor(target)).item() - expected) < 1e-12


def test_probabilities_that_have_underflowed_are_refused_unless_their_logits_are_known() -> None:
    logits = torch.tensor([[800.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = loss_like(keras.losses.SparseCategoricalCrossentropy(dtype="float64"))
    with pytest.raises(GatewiseError, match=r"must have probabilities above 0 for the classes of the target, but has 0\.0e"):
        loss(torch.softmax(logits, -1), torch.tensor([1]))
    with RememberedLogits():
        prediction = torch.softmax(logits, -1)
    assert loss(prediction, torch.tensor([1])).item() == 800.0


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
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(loss: Any, message: str) -> None:
    with pytest.raises(GatewiseError, match=message):
        loss_like(loss)
