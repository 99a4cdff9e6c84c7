"""torch's optimizers in Keras: equal gradients lead to equal variables.

Covers: `frameworks/torch_in_keras/optimizers.py`.
"""

from typing import Any

import numpy as np
import pytest

from frameworks import copy_weights, optimizer_like

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1, "eps": 1e-3, "betas": (0.8, 0.95)}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "alpha": 0.9}),
]
RATE = 2**-10
"""Keras holds the rate in float32; this one is exact there."""


@pytest.mark.backend
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_two_hundred_steps_are_those_of_torch(name: str, settings: dict[str, Any], stream: Any, distance: Any) -> None:
    import keras
    import torch

    variables, parameters = stream.variables(), stream.parameters()
    theirs = getattr(torch.optim, name)(parameters, lr=RATE, **settings)
    ours = optimizer_like(theirs)
    assert isinstance(ours, keras.optimizers.Optimizer)
    expected = stream.train_torch(theirs, parameters)
    assert distance(expected, stream.train_keras(ours, variables)) <= 1e-12


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "SGD"])
def test_keras_own_class_with_the_same_settings_trains_differently(name: str, stream: Any, distance: Any) -> None:
    import keras
    import torch

    variables, parameters = stream.variables(), stream.parameters()
    settings, own = {
        "Adam": ({"eps": 1e-3}, {"epsilon": 1e-3}),
        "RMSprop": ({"eps": 1e-3, "alpha": 0.9}, {"epsilon": 1e-3, "rho": 0.9}),
        "SGD": ({"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.9, "weight_decay": 0.1}),
    }[name]
    expected = stream.train_torch(getattr(torch.optim, name)(parameters, lr=RATE, **settings), parameters)
    actual = stream.train_keras(getattr(keras.optimizers, name)(learning_rate=RATE, **own), variables)
    assert distance(expected, actual) > 1e-4


@pytest.mark.backend
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_training_continues_in_keras(name: str, settings: dict[str, Any], stream: Any, distance: Any) -> None:
    import torch

    variables, parameters = stream.variables(), stream.parameters()
    theirs = getattr(torch.optim, name)(parameters, lr=RATE, **settings)
    for variable, value in zip(variables, stream.train_torch(theirs, parameters, 0, 20), strict=True):
        variable.assign(value.T if value.shape == (3, 5) else value)
    ours = optimizer_like(theirs, variables)
    expected = stream.train_torch(theirs, parameters, 20, 30)
    assert distance(expected, stream.train_keras(ours, variables, 20, 30)) <= 1e-12


def test_slots_get_keras_s_gate_order_on_the_way_back(randomise: Any) -> None:
    import keras
    import torch

    layer, module = keras.layers.GRU(4), torch.nn.GRU(3, 4)
    layer.build((None, None, 3))
    copy_weights(randomise(module), layer)
    theirs = torch.optim.Adam(module.parameters(), lr=0.0, betas=(0.0, 0.0))
    for parameter in module.parameters():
        parameter.grad = parameter.detach().clone()
    theirs.step()
    ours = optimizer_like(theirs, [(layer, module)])
    # Without betas the first moment is the gradient, here the weight itself, so the copied weights are the expected slots.
    for moment, variable in zip(ours.slots[0], layer.trainable_variables, strict=True):
        np.testing.assert_array_equal(moment.numpy(), variable.numpy())


def test_an_optimizer_can_be_rebuilt_from_its_configuration() -> None:
    import keras
    import torch

    optimizer = optimizer_like(torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=RATE, weight_decay=0.2))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert again.get_config()["weight_decay"] == 0.2


def test_settings_that_keras_cannot_have_are_refused(refused: Any) -> None:
    import torch

    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    worked = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    parameters[0].grad = torch.ones(2)
    worked.step()
    for optimizer, said in (
        (torch.optim.Rprop(parameters), "Rprop"),
        (worked, "holds slots"),
        (torch.optim.Adam([{"params": [one]} for one in parameters]), "has 2"),
    ):
        with refused(said):
            optimizer_like(optimizer)
