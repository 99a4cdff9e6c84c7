"""Remedies of training a model and its port side by side, and of the losses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from compare.training import KerasSide, PyTorchSide, parameter_reader, train_together
from gatewise import compare_training, emulate, freeze_second_bias, loss_like, optimizer_like
from tests.remedies.arrays import LAYERS, X, array, close, drawn, filled, tensor, uncompiled
from tests.remedies.cases_compare import batch_of, models
from tests.remedies.following import advises, case, refuses

LOGITS = "Return the logits, and use a loss with from_logits=True."


def train(model: Any, port: Any, batches: Any = batch_of, loss: Any = "mse", **options: Any) -> Any:
    """Train two models in three steps."""
    with uncompiled():
        return compare_training(model, port, batches, 3, optimizer=keras.optimizers.SGD(0.1), loss=loss, **options)


def same(trajectory: Any) -> None:
    """Assert that both sides computed the same."""
    assert trajectory.loss_gap("pytorch").max() < 1e-4
    assert trajectory.farthest("pytorch").max() < 1e-4


def sequential(*layers: Any, **options: Any) -> Any:
    """Return a filled model with the weights of `models`."""
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), LAYERS.LSTM(4, **options), LAYERS.Dense(2), *layers]))
    model.set_weights(models()[0].get_weights())
    return model


@case
def random_numbers() -> None:
    class Noisy(LAYERS.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)

        def build(self, shape: Any) -> None:
            self.seeds = keras.random.SeedGenerator(0)

    dropping = sequential(dropout=0.5)
    with refuses("Pass without_dropout=True to train without dropout: the frameworks draw different random numbers."):
        train(dropping, models()[1])
    same(train(dropping, models()[1], without_dropout=True))
    noisy = sequential(Noisy())
    with refuses("Remove the layers that draw them: the frameworks draw different random numbers."):
        train(noisy, models()[1], without_dropout=True)
    same(train(keras.Sequential(noisy.layers[:-1]), models()[1]))


@case
def a_loss_in_loss_of() -> None:
    """Follow the remedy for a regulariser of one's own, and for add_loss."""

    class Penalty(keras.regularizers.Regularizer):  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            return 0.1 * keras.ops.sum(x**4)

    class Adding(LAYERS.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            self.add_loss(keras.ops.mean(x**2))
            return x

    text = (
        "Leave it out on both sides; or train with compare.training.train_together, and add it in the `loss_of` of a KerasSide "
        "and a PyTorchSide."
    )
    penalised = sequential(kernel_regularizer=Penalty())
    unpaired = sequential(LAYERS.ActivityRegularization(l2=0.1))
    adding = sequential(Adding())
    for model in (penalised, unpaired, adding):
        with refuses(text):
            train(model, models()[1])
        same(train(keras.Sequential([keras.Input(X.shape[1:]), *left_out(model)]), models()[1]))
    port, squared = models()[1], keras.losses.MeanSquaredError()
    inner, penalty, names = penalised.layers[0], Penalty(), ("lstm", "dense")
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(penalised.trainable_variables)
    follower = optimizer_like(optimizer, list(zip(penalised.layers, (port.rnn, port.out), strict=True)))
    sides: dict[str, Any] = {
        "keras": KerasSide(
            penalised,
            optimizer,
            lambda x, y: squared(y, penalised(x, training=True)) + penalty(inner.cell.kernel),
            parameter_reader(dict(zip(names, penalised.layers, strict=True))),
        ),
        "pytorch": PyTorchSide(
            port,
            follower,
            lambda x, y: (
                nn.functional.mse_loss(port(torch.as_tensor(x)), torch.as_tensor(y)) + 0.1 * (port.rnn.weight_ih_l0**4).sum()
            ),
            parameter_reader({"lstm": port.rnn, "dense": port.out}),
        ),
    }
    with uncompiled():
        same(train_together(sides, batch_of, 3, every=1))


def left_out(model: Any) -> list[Any]:
    """Return the layers of `models`, without what the model adds to the loss."""
    plain = LAYERS.LSTM(4)
    plain(X)
    plain.set_weights(models()[0].layers[0].get_weights())
    head = LAYERS.Dense(2)
    head.build((None, 4))
    head.set_weights(model.layers[1].get_weights())
    return [plain, head]


@case
def a_layer_that_no_reader_knows() -> None:
    """Follow the remedy for a layer whose parameters have no known names."""
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), LAYERS.LSTM(4), LAYERS.PReLU()]))
    rnn, act = nn.LSTM(3, 4, batch_first=True), nn.PReLU(4)
    with refuses("Leave it out; or use compare.training.train_together with your own function that reads its parameters."):
        parameter_reader({"prelu": model.layers[1]})
    assert parameter_reader({"lstm": model.layers[0]})()
    pairs = [(model.layers[0], rnn)]
    follow_weights(model, rnn)
    act.load_state_dict({"weight": tensor(model.layers[1].get_weights()[0])})
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    follower = optimizer_like(optimizer, [*pairs, (model.layers[1], act)])
    squared = keras.losses.MeanSquaredError()
    readers = [parameter_reader({"lstm": one}) for one in pairs[0]]
    net = nn.ModuleList([rnn, act])
    sides: dict[str, Any] = {
        "keras": KerasSide(
            model,
            optimizer,
            lambda x, y: squared(y, model(x, training=True)),
            lambda: {**readers[0](), "prelu": array(model.layers[1].get_weights()[0])},
        ),
        "pytorch": PyTorchSide(
            net,
            follower,
            lambda x, y: nn.functional.mse_loss(act(rnn(torch.as_tensor(x))[0][:, -1]), torch.as_tensor(y)),
            lambda: {**readers[1](), "prelu": array(act.weight).copy()},
        ),
    }
    same(train_together(sides, lambda step: (X, drawn(2, 4, seed=step)), 3, every=1))


def follow_weights(model: Any, rnn: Any) -> None:
    """Copy the weights of a model's first layer, and freeze the second bias."""
    from gatewise import copy_weights

    copy_weights(model.layers[0], rnn)
    freeze_second_bias(rnn)


@case
def batches_and_losses() -> None:
    model, port = models()
    with refuses("Return several inputs as one list, tuple or dict."):
        train(model, port, lambda step: (X, X, *batch_of(step), None))
    with refuses("Pass the object, such as keras.losses.Poisson()."):
        train(model, port, loss="poisson", torch_loss=nn.functional.mse_loss)
    positive, rate = sequential(LAYERS.Activation("softplus")), nn.Softplus()
    with refuses(
        "Write the torch loss yourself: compare_training takes it as torch_loss, and tells whether it equals Keras's."
    ):
        train(positive, nn.Sequential(port, rate), loss="poisson")

    def poisson(prediction: Any, target: Any) -> Any:
        return nn.functional.poisson_nll_loss(prediction, target, log_input=False, eps=1e-7)

    def counts(step: int) -> Any:
        inputs, targets = batch_of(step)
        return inputs, abs(targets)

    for loss, agrees in ((poisson, True), (nn.functional.mse_loss, False)):
        pairs = [(positive.layers[0], port.rnn), (positive.layers[1], port.out)]
        trained = train(positive, nn.Sequential(port, rate), counts, keras.losses.Poisson(), torch_loss=loss, pairs=pairs)
        assert any("but the losses are" in note for note in trained.notes) != agrees
    several = keras.Input((5, 3))
    features = LAYERS.LSTM(4)(several)
    two = keras.Model(several, [LAYERS.Dense(2)(features), LAYERS.Dense(2)(features)])
    port, second = models()[1], nn.Linear(4, 2)
    two.set_weights([*models()[0].get_weights(), *models()[0].layers[1].get_weights()])
    with refuses("Wrap it in a model that returns the one that is trained."):
        train(two, port, pairs=[*zip(two.layers[1:], (port.rnn, port.out, second), strict=True)])
    one = keras.Model(several, two.outputs[0])
    same(train(one, models()[1]))


@case
def two_biases() -> None:
    model, port = models()
    port.rnn.bias_hh_l0.requires_grad_(True)
    notes = train(model, port).notes
    advises("*trains two biases where Keras trains one*: call freeze_second_bias(module) first.", notes)
    model, port = models()
    freeze_second_bias(port)
    trajectory = train(model, port)
    same(trajectory)
    assert not any("two biases" in note for note in trajectory.notes)


@case
def logits_and_probabilities() -> None:
    def classes(step: int) -> Any:
        return drawn(4, 5, 3, seed=step), np.random.default_rng(step).integers(0, 2, 4)

    kind = keras.losses.SparseCategoricalCrossentropy
    ended, port = sequential(LAYERS.Softmax()), models()[1]
    with refuses("End it with a softmax; or leave it out on both sides, and use a loss with from_logits=True."):
        train(ended, port, classes, kind())
    pairs = [(ended.layers[0], port.rnn), (ended.layers[1], port.out)]
    same(train(ended, nn.Sequential(port, nn.Softmax(-1)), classes, kind(), pairs=pairs))
    same(train(*models(), classes, kind(from_logits=True)))
    loss, target = loss_like(kind()), tensor(np.array([0, 1]))
    logits = tensor(drawn(2, 2)).requires_grad_()
    with refuses(LOGITS):
        loss(logits.sigmoid(), target)
    far = torch.tensor([[0.0, 200.0], [0.0, -200.0]], requires_grad=True)
    with refuses("Return logits, and use a loss with from_logits=True."):
        loss(far.softmax(-1), target.flip(0) * 0)
    for each, labels in ((logits, target), (far, target * 0)):
        close(loss_like(kind(from_logits=True))(each, labels), kind(from_logits=True)(array(labels), array(each)), 1e-4)


@case
def masks_and_weights_of_a_loss() -> None:
    target, prediction = drawn(2, 5, 3), drawn(2, 5, 3, seed=2)
    loss, mask = keras.losses.MeanSquaredError(), np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    follower = loss_like(loss)
    with refuses("Pass `mask != 0`; weights belong in sample_weight."):
        follower(tensor(prediction), tensor(target), mask=tensor(mask))
    masked = keras.ops.convert_to_tensor(prediction)
    keras.src.backend.set_keras_mask(masked, keras.ops.convert_to_tensor(mask != 0))
    close(follower(tensor(prediction), tensor(target), mask=tensor(mask) != 0), loss(target, masked))
    weights = np.array([0.5, 2.0], "float32")
    with refuses("One value per sample has the shape (2, 1)."):
        follower(tensor(prediction), tensor(target), sample_weight=tensor(weights))
    close(
        follower(tensor(prediction), tensor(target), sample_weight=tensor(weights).reshape(2, 1)),
        loss(target, prediction, sample_weight=weights.reshape(2, 1)),
    )


@case
def losses() -> None:
    target, prediction = drawn(4, 3), drawn(4, 3, seed=2)
    with refuses("Pass the object, such as keras.losses.MeanSquaredError()."):
        loss_like(keras.losses.MeanSquaredError)
    loss = keras.losses.MeanSquaredError()
    close(loss_like(loss)(tensor(prediction), tensor(target)), loss(target, prediction))
    for unknown in ("poisson", keras.losses.KLDivergence()):
        with refuses("Write the torch loss yourself: compare_training takes it as torch_loss, *"):
            loss_like(unknown)
    kind = keras.losses.CategoricalCrossentropy
    with refuses("Move the classes to the last axis."):
        loss_like(kind(axis=1, from_logits=True))
    classes = abs(drawn(2, 3, 4))
    classes /= classes.sum(1, keepdims=True)
    logits = drawn(2, 3, 4, seed=3)
    moved = loss_like(kind(from_logits=True))(tensor(logits).movedim(1, -1), tensor(classes).movedim(1, -1))
    close(moved, kind(axis=1, from_logits=True)(classes, logits))


@case
def an_emulated_layer_under_a_mask() -> None:
    """Train with the mask of an Embedding, which compare_training takes from the Keras model."""
    ids = np.array([[5, 3, 2, 0, 0], [1, 4, 2, 6, 0]], "int32")
    layers = (LAYERS.Embedding(9, 3, mask_zero=True), LAYERS.LSTM(4, return_sequences=True))
    model = filled(keras.Sequential([keras.Input((5,), dtype="int32"), *layers]), ids)
    port = emulate(model)
    with refuses('Make it with dtype="float32".'):
        train(model, port, lambda step: (ids, drawn(2, 5, 4, seed=step)), keras.losses.MeanSquaredError(dtype="float64"))
    trajectory = train(model, port, lambda step: (ids, drawn(2, 5, 4, seed=step)))
    same(trajectory)
    assert any("mask" in note for note in trajectory.notes)
