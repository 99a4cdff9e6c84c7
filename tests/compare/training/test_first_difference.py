"""Where a model and its port first part, a training says what `compare_models` and `diagnose` say of the two."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import compare_training
from frameworks import copy_weights, freeze_second_bias
from frameworks.keras.tensors import to_numpy

DTYPE = {"dtype": "float64"}
HIDDEN = 4
AGREES = "With the Keras model's weights in both, their predictions for the batch of that step agree"
DIFFERS = "With the Keras model's weights in both, their predictions for the batch of that step differ too."
pytestmark = pytest.mark.usefixtures("eagerly")


class Port(nn.Module):
    """An LSTM and a Linear. From a step on, the last step is dropped, as by a wrong slice."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.rnn: Any = nn.LSTM(3, HIDDEN, batch_first=True).double()
        self.head: Any = nn.Linear(HIDDEN, 2).double()
        self.forgets_from = 7
        copy_weights(model.layers[0], self.rnn)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor(to_numpy(model.layers[1].kernel)).T)
            self.head.bias.copy_(torch.tensor(to_numpy(model.layers[1].bias)))
        freeze_second_bias(self.rnn)

    def forward(self, inputs: Any) -> Any:
        output, _ = self.rnn(inputs[:, : self.forgets_from])
        return self.head(output[:, -1])


def pair() -> tuple[Any, Port]:
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((None, 3), dtype="float64"), keras.layers.LSTM(HIDDEN, **DTYPE), keras.layers.Dense(2, **DTYPE)]
    )
    return model, Port(model)


def batch_of(step: int) -> Any:
    """Return a batch of seven time steps; of nine from the second step on."""
    rng = np.random.default_rng(step)
    return rng.normal(size=(5, 7 if step < 2 else 9, 3)), rng.normal(size=(5, 2))


def compared(model: Any, port: Any, **arguments: Any) -> Any:
    return compare_training(model, port, batch_of, 4, **{"optimizer": keras.optimizers.SGD(0.125), "loss": "mse", **arguments})


def test_a_mistake_in_the_weights_is_named_before_the_first_step() -> None:
    model, port = pair()
    with torch.no_grad():
        for parameter in (port.rnn.weight_ih_l0, port.rnn.weight_hh_l0):
            one, two, *rest = parameter.chunk(4)
            parameter.copy_(torch.cat((two, one, *rest)))
    trajectory = compared(model, port)
    first = trajectory.comparison.first
    assert (first.kind, first.expected, first.actual) == ("in", model.layers[0].name, "rnn")
    assert [each.mistake for each in first.diagnosis.findings] == ["gates-permuted"]
    assert str(trajectory).endswith(f"Where they part, {trajectory.comparison}")
    assert "gates-permuted" in str(trajectory)
    assert "Where they part, **the models" in trajectory._repr_markdown_()
    assert not any(note.startswith("At step") for note in trajectory.notes)


def test_a_right_port_has_nothing_to_say() -> None:
    model, port = pair()
    port.forgets_from = 9
    trajectory = compared(model, port)
    assert (trajectory.comparison, trajectory.notes) == (None, ())
    assert "part" not in str(trajectory)


def test_a_mistake_that_only_a_later_batch_shows_is_found_at_its_step_and_changes_nothing() -> None:
    model, port = pair()
    trajectory = compared(model, port)
    (note,) = trajectory.notes
    assert note.startswith("At step 2, the losses first differ, by ")
    assert note.endswith(DIFFERS)
    assert trajectory.comparison is not None
    assert not trajectory.comparison.passed
    again, unwatched = pair()
    plain = compared(again, unwatched, tolerance=10.0)
    assert (plain.comparison, plain.notes) == (None, ())
    for side in ("keras", "pytorch"):
        assert trajectory.losses[side].tolist() == plain.losses[side].tolist()


@pytest.mark.parametrize("what", ["two biases", "another loss"])
def test_a_difference_of_the_update_alone_is_told_from_one_of_the_forward_pass(what: str) -> None:
    model, port = pair()
    port.forgets_from = 9
    if what == "two biases":
        port.rnn.bias_hh_l0.requires_grad_()
        trajectory = compared(model, port)
    else:

        def loss(prediction: Any, target: Any) -> Any:
            """Return Keras's loss, whose gradient is torn."""
            difference = (prediction - target) ** 2
            return (difference + prediction - prediction.detach()).mean()

        trajectory = compared(model, port, loss=keras.losses.MeanSquaredError(**DTYPE), torch_loss=loss)
    notes = [note for note in trajectory.notes if note.startswith("At step 1, the losses first differ, by ")]
    assert len(notes) == 1
    assert AGREES in notes[0]
    assert trajectory.comparison is None


def test_a_difference_that_only_training_makes_is_told_from_one_of_inference() -> None:
    model = keras.Sequential([keras.Input((4,), dtype="float64"), keras.layers.BatchNormalization(**DTYPE)])
    norm: Any = model.layers[0]

    class Frozen(nn.Module):
        """A normalisation that uses its moving statistics in training, too."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4, eps=norm.epsilon).double()

        def forward(self, inputs: Any) -> Any:
            return self.norm.eval()(inputs)

    def batch(step: int) -> Any:
        rng = np.random.default_rng(step)
        return rng.normal(size=(5, 4)), rng.normal(size=(5, 4))

    trajectory = compare_training(model, Frozen(), batch, 2, optimizer=keras.optimizers.SGD(0.1), loss="mse")
    assert any("the predictions for the first batch differ" in note for note in trajectory.notes)
    assert any(note.startswith("In inference, the two agree on this batch") for note in trajectory.notes)
    assert trajectory.comparison is None
