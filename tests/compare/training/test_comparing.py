"""A Keras model and its port are trained side by side, and what cannot be compared is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import Checkpoint, compare_training
from frameworks import GatewiseError, copy_weights, emulate
from frameworks.keras.tensors import to_numpy

WORDS, CLASSES, TIME = 11, 4, 6


class Port(nn.Module):
    """Embedding, LSTM, Linear: the class of a word at each step."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 5)
        self.lstm = nn.LSTM(5, 7, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(7, CLASSES)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(self.lstm(self.embedding(tokens))[0]))
        return logits


def build(dropout: float = 0.0, **arguments: Any) -> tuple[Any, Port]:
    """Return the model and its port in float64, with equal weights and one trained bias."""
    dtype = {"dtype": "float64"}
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((TIME,), dtype="int32"),
            keras.layers.Embedding(WORDS, 5, **dtype),
            keras.layers.LSTM(7, return_sequences=True, **dtype, **arguments),
            keras.layers.Dropout(dropout, **dtype),
            keras.layers.Dense(CLASSES, **dtype),
        ]
    )
    port = Port(dropout).double()
    with torch.no_grad():
        embedding, lstm, _, head = model.layers
        port.embedding.weight.copy_(torch.from_numpy(to_numpy(embedding.embeddings)))
        port.head.weight.copy_(torch.from_numpy(to_numpy(head.kernel)).T)
        port.head.bias.copy_(torch.from_numpy(to_numpy(head.bias)))
    copy_weights(lstm, port.lstm)
    port.lstm.bias_hh_l0.requires_grad = False
    return model, port


def batch_of(step: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(step)
    tokens = rng.integers(0, WORDS, (8, TIME), dtype=np.int32)
    return tokens, tokens % CLASSES


def loss(**arguments: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, **{"dtype": "float64", **arguments})


@pytest.mark.backend
def test_a_right_port_trains_as_the_model_does() -> None:
    model, port = build()
    trajectory = compare_training(model, port, batch_of, 40, optimizer=keras.optimizers.Adam(0.02), loss=loss())
    # On other backends Keras multiplies matrices in float32.
    allowed = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-4
    assert trajectory.farthest("pytorch").max() < allowed
    assert trajectory.loss_gap("pytorch").max() < allowed
    assert trajectory.losses["keras"][-5:].mean() < trajectory.losses["keras"][:5].mean() - 0.05
    assert set(trajectory.distances["pytorch"]) == {
        f"{layer.name}.{name}"
        for layer, names in zip(
            [model.layers[0], model.layers[1], model.layers[3]],
            [("embeddings",), ("kernel", "recurrent_kernel", "bias"), ("kernel", "bias")],
            strict=True,
        )
        for name in names
    }


@pytest.mark.usefixtures("eagerly")
def test_a_second_trained_bias_shows_first_in_the_distance_of_the_bias() -> None:
    model, port = build()
    port.lstm.bias_hh_l0.requires_grad = True
    trajectory = compare_training(model, port, batch_of, 10, optimizer=keras.optimizers.SGD(0.1), loss=loss(), every=1)
    assert any("trains two biases where Keras trains one" in note for note in trajectory.notes)
    after_one = {name: values[1] for name, values in trajectory.distances["pytorch"].items()}
    lstm = model.layers[1].name
    assert after_one[f"{lstm}.bias"] > 1e-5
    assert after_one[f"{lstm}.recurrent_kernel"] < 1e-16


def test_the_loss_and_the_parameters_are_those_of_keras_own_fit() -> None:
    model, port = build()
    own = keras.models.clone_model(model)
    own.set_weights(model.get_weights())
    own.compile(keras.optimizers.SGD(0.125), loss())
    first = float(own.evaluate(*batch_of(0), verbose=0))
    trajectory = compare_training(model, port, batch_of, 3, optimizer=keras.optimizers.SGD(0.125), loss=loss())
    assert abs(trajectory.losses["pytorch"][0] - first) < 1e-6  # Keras sums it up in float32
    for step in range(3):
        own.train_on_batch(*batch_of(step))
    for one, other in zip(own.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-15)


@pytest.mark.backend
@pytest.mark.usefixtures("eagerly")
def test_an_interrupted_comparison_resumes_bit_for_bit(tmp_path: Path) -> None:
    def run(steps: int, checkpoint: Checkpoint | None) -> Any:
        model, port = build()
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.8))
        return compare_training(model, port, batch_of, steps, optimizer=optimizer, loss=loss(), checkpoint=checkpoint)

    checkpoint = Checkpoint(tmp_path / "run.npz", {})
    run(2, checkpoint)
    resumed, whole = run(4, checkpoint), run(4, None)
    for side in ("keras", "pytorch"):
        np.testing.assert_array_equal(resumed.losses[side], whole.losses[side])


def refused(message: str, model: Any, port: nn.Module, **arguments: Any) -> None:
    before = [weight.copy() for weight in model.get_weights()]
    given: Mapping[str, Any] = {"optimizer": keras.optimizers.SGD(), "loss": loss(), **arguments}
    with pytest.raises(GatewiseError, match=message):
        compare_training(model, port, batch_of, 3, **given)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.usefixtures("eagerly")
def test_models_that_cannot_be_trained_alike_are_refused_before_the_first_step() -> None:
    model, port = build()
    refused("the loss must be one of", model, port, loss=keras.losses.Poisson(dtype="float64"))
    refused("the loss must compute in the model's dtype, float64, but computes in float32", model, port, loss=loss(dtype=None))
    refused("keras.optimizers.Muon must be of one rule", model, port, optimizer=keras.optimizers.Muon())
    refused("the layers of the module must pair up with .* but are LSTM", model, port.lstm)
    pairs = [(model.layers[0], port.embedding), (model.layers[1], port.lstm)]
    refused("must pair up with every variable", model, port, pairs=pairs)
    refused("be one of|fit its parameter", model, port, pairs=[*pairs, (model.layers[3], nn.Linear(CLASSES, 7))])
    refused("the training of keras must depend only on parameters and batches", *build(dropout=0.5))


def dense_pair(units: int = 3, **arguments: Any) -> tuple[Any, nn.Linear]:
    """Return a Dense layer and the Linear that computes the same."""
    layer = keras.layers.Dense(units, dtype="float64", **arguments)
    layer.build((None, 4))
    linear = nn.Linear(4, units).double()
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(to_numpy(layer.kernel)).T)
        linear.bias.copy_(torch.from_numpy(to_numpy(layer.bias)))
    return layer, linear


def rows_of(step: int, classes: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(step)
    return rng.normal(size=(8, 4)), rng.normal(size=(8, classes))


def mean_squared() -> Any:
    return keras.losses.MeanSquaredError(dtype="float64")


def distance(model: Any, module: nn.Module, batches: Any) -> float:
    """Return the largest distance after four steps of training."""
    trajectory = compare_training(model, module, batches, 4, optimizer=keras.optimizers.Adam(0.05), loss=mean_squared())
    return float(max(trajectory.farthest("pytorch").max(), trajectory.loss_gap("pytorch").max()))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_the_module_gets_several_inputs_as_the_model_does(kind: Any) -> None:
    class Product(nn.Module):
        def __init__(self, one: nn.Module, other: nn.Module) -> None:
            super().__init__()
            self.one, self.other = one, other

        def forward(self, inputs: Any) -> Any:
            one, other = inputs.values() if isinstance(inputs, dict) else inputs
            return self.one(one) * self.other(other)

    (first, one), (second, other) = dense_pair(), dense_pair()
    inputs = [keras.Input((4,), dtype="float64", name=name) for name in ("a", "b")]
    model = keras.Model(inputs, first(inputs[0]) * second(inputs[1]))

    def batches(step: int) -> Any:
        arrays = [rows_of(step)[0], rows_of(step + 100)[0]]
        return dict(zip(("a", "b"), arrays, strict=True)) if kind is dict else kind(arrays), rows_of(step)[1]

    assert distance(model, Product(one, other), batches) < 1e-12


@pytest.mark.usefixtures("eagerly")
def test_a_layer_that_two_places_share_is_trained_once() -> None:
    (first, one), (second, other) = dense_pair(4), dense_pair(4)
    inner = keras.Sequential([keras.Input((4,), dtype="float64"), first, second])
    inputs = keras.Input((4,), dtype="float64")
    model = keras.Model(inputs, inner(first(inputs)))
    assert distance(model, nn.Sequential(one, nn.Sequential(one, other)), lambda step: rows_of(step, 4)) < 1e-12


@pytest.mark.usefixtures("eagerly")
def test_a_layer_that_the_loss_does_not_reach_stays_unchanged() -> None:
    class Idle(keras.Model):  # type: ignore[misc]
        def __init__(self, used: Any, idle: Any) -> None:
            super().__init__(dtype="float64")
            self.used, self.idle = used, idle

        def call(self, inputs: Any) -> Any:
            return self.used(inputs)

    class Port(nn.Module):
        def __init__(self, used: nn.Module, idle: nn.Module) -> None:
            super().__init__()
            self.used, self.idle = used, idle

        def forward(self, inputs: Any) -> Any:
            return self.used(inputs)

    (first, one), (second, other) = dense_pair(), dense_pair()
    model = Idle(first, second)
    model(rows_of(0)[0])
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        assert distance(model, Port(one, other), rows_of) < 1e-12


@pytest.mark.usefixtures("eagerly")
def test_dropout_of_the_module_is_refused_even_in_eval_mode() -> None:
    model, port = build()
    port.dropout.p = 0.5
    refused("the training of pytorch must depend only on parameters and batches", model, port.eval())


@pytest.mark.usefixtures("eagerly")
def test_a_parameter_that_only_one_side_would_train_is_refused() -> None:
    model, port = build()
    model.layers[1].trainable = False
    refused(r"must belong to variables that the Keras optimizer trains, but belong to .*lstm_cell/kernel", model, port)
    model, port = build()
    port.register_parameter("scale", nn.Parameter(torch.ones(1)))
    refused("must all pair up with variables of the Keras model, but leave scale", model, port)
    model, port = build()
    model.trainable = False
    refused("but are all frozen", model, port.requires_grad_(requires_grad=False))


@pytest.mark.usefixtures("eagerly")
def test_a_wrong_optimizer_loss_or_model_is_refused_with_its_reason() -> None:
    model, port = build()
    refused("the optimizer must be a Keras optimizer, but is 'adam'", model, port, optimizer="adam")
    refused("must be one number per batch", model, port, loss=loss(reduction="none"))
    refused("the Keras model must be built", keras.Sequential([keras.layers.Dense(3)]), port)


@pytest.mark.usefixtures("eagerly")
def test_a_diverging_training_is_stopped_with_its_steps_on_record() -> None:
    model, port = build()
    with np.errstate(all="ignore"), pytest.raises(GatewiseError, match="must be a finite number") as caught:
        compare_training(model, port, batch_of, 100, optimizer=keras.optimizers.SGD(1e200), loss=loss())
    assert caught.value.trajectory.steps >= 2  # type: ignore[attr-defined]


def test_a_model_of_keras_2_is_refused_and_its_weights_fit_the_same_model_of_keras_3() -> None:
    import tf_keras

    def model(library: Any) -> Any:
        return library.Sequential([library.layers.Input((5, 3)), library.layers.LSTM(2, name="lstm")])

    old, new = model(tf_keras), model(keras)
    batch = np.ones((4, 5, 3), "float32"), np.zeros((4, 2), "float32")

    def trained(each: Any, port: Any) -> Any:
        return compare_training(each, port, lambda step: batch, 2, optimizer=keras.optimizers.SGD(0.1), loss="mse")

    with pytest.raises(GatewiseError, match=r"must be a model of Keras 3, but is a tf_keras Sequential\. Build the same model"):
        trained(old, nn.LSTM(3, 2))
    new.set_weights(old.get_weights())
    np.testing.assert_allclose(new(batch[0]), old(batch[0]), atol=1e-6)
    assert trained(new, emulate(new.layers[0])).loss_gap("pytorch").max() < 1e-6


def test_a_layer_and_a_module_that_differ_are_told_by_what_differs() -> None:
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(2)])
    with pytest.raises(GatewiseError, match="but differ: cell is 'gru' and 'lstm', hidden_size is 2 and 4"):
        compare_training(model, nn.LSTM(3, 4), lambda step: (), 1, optimizer=keras.optimizers.SGD(0.1), loss="mse")
