"""Keras's optimizers in torch: equal gradients lead to equal parameters.

Covers: `frameworks/keras_in_torch/optimizers`.
"""

import copy
import io
from typing import Any

import numpy as np
import pytest

from frameworks import optimizer_like
from frameworks.keras_in_torch.optimizers.fates import FATES

FOLLOWED = [name for name, fate in FATES.items() if fate.rule]
SCHEDULE = object()
"""A placeholder for a Keras schedule, which is only made in the test that needs it."""

AROUND: dict[str, dict[str, Any]] = {
    "plain": {},
    "decay, schedule, clipvalue": {"weight_decay": 0.1, "learning_rate": SCHEDULE, "clipvalue": 0.5, "loss_scale_factor": 2.0},
    "clipnorm, average": {"clipnorm": 1.0, "use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 7},
    "global_clipnorm, accumulation": {"global_clipnorm": 1.0, "gradient_accumulation_steps": 3},
}
TOGETHER: dict[str, Any] = {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 3}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{"amsgrad": True}],
    "AdamW": [{"amsgrad": True}],
    "RMSprop": [{"momentum": 0.9}, {"centered": True}, {"centered": True, "momentum": 0.9}],
    "Ftrl": [{"l1_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.1}],
    "ScheduleFreeAdamW": [{"warmup_steps": 50}],
}
CASES = [(name, settings) for name in FOLLOWED for settings in AROUND.values()]
CASES += [(name, settings) for name, variants in VARIANTS.items() for settings in variants]
CASES += [("Adam", TOGETHER)]


def make(name: str, settings: dict[str, Any]) -> Any:
    import keras

    rate = settings.get("learning_rate", 1e-3)
    if rate is SCHEDULE:
        rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 37, 0.93)
    return getattr(keras.optimizers, name)(**{**settings, "learning_rate": rate})


def tolerance(name: str, settings: dict[str, Any]) -> float:
    """1e-12 if Keras computes in float64; its `maximum`, `minimum`, `where` and `clip` are float32 except on TensorFlow."""
    import keras

    named = {"clipnorm", "global_clipnorm", "use_ema", "warmup_steps", "l1_regularization_strength"}
    coarse = name in ("Adafactor", "Lamb") or named & settings.keys()
    return 1e-7 if coarse and keras.config.backend() != "tensorflow" else 1e-12


def label(value: Any) -> str | None:
    if isinstance(value, dict):
        return " ".join(name if entry is SCHEDULE else f"{name}={entry}" for name, entry in value.items()) or "plain"
    return None


@pytest.mark.backend
@pytest.mark.parametrize(("name", "settings"), CASES, ids=label)
def test_two_hundred_steps_are_those_of_keras(name: str, settings: dict[str, Any], stream: Any, distance: Any) -> None:
    ours, theirs = make(name, settings), make(name, settings)
    variables, parameters = stream.variables(), stream.parameters()
    ours.build(variables)
    optimizer = optimizer_like(ours, parameters)
    expected = stream.train_keras(theirs, variables)
    actual = stream.train_torch(optimizer, parameters)
    start = [parameter.detach().numpy() for parameter in stream.parameters()]
    assert distance(expected, actual) <= tolerance(name, settings)
    assert distance(expected, start) > 1e-5


@pytest.mark.backend
@pytest.mark.parametrize("name", FOLLOWED)
def test_training_continues_in_torch(name: str, stream: Any, distance: Any) -> None:
    settings = {"gradient_accumulation_steps": 3, "use_ema": True, "learning_rate": SCHEDULE, "weight_decay": 0.1}
    keras_optimizer, variables, parameters = make(name, settings), stream.variables(), stream.parameters()
    halfway = stream.train_keras(keras_optimizer, variables, 0, 20)
    fill(parameters, halfway)
    optimizer = optimizer_like(keras_optimizer, parameters)
    afresh = optimizer_like(build(make(name, settings), variables), stream_copy(parameters))
    expected = stream.train_keras(keras_optimizer, variables, 20, 40)
    assert distance(expected, stream.train_torch(optimizer, parameters, 20, 40)) <= tolerance(name, settings)
    assert distance(expected, stream.train_torch(afresh, afresh_parameters(afresh), 20, 40)) > 1e-6


@pytest.mark.backend
@pytest.mark.parametrize("name", ["SGD", "Adadelta"])
def test_torchs_own_class_continues_the_training_if_it_is_exact(name: str, stream: Any, distance: Any) -> None:
    import torch

    keras_optimizer, variables, parameters = make(name, {}), stream.variables(), stream.parameters()
    fill(parameters, stream.train_keras(keras_optimizer, variables, 0, 20))
    optimizer = optimizer_like(keras_optimizer, parameters)
    assert type(optimizer) is getattr(torch.optim, name)
    expected = stream.train_keras(keras_optimizer, variables, 20, 40)
    assert distance(expected, stream.train_torch(optimizer, parameters, 20, 40)) <= 1e-12


def fill(parameters: list[Any], values: list[Any]) -> None:
    import torch

    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(torch.tensor(value))


def build(optimizer: Any, variables: list[Any]) -> Any:
    optimizer.build(variables)
    return optimizer


def stream_copy(parameters: list[Any]) -> list[Any]:
    return [copy.deepcopy(parameter) for parameter in parameters]


def afresh_parameters(optimizer: Any) -> list[Any]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@pytest.mark.backend
def test_excluded_variables_do_not_decay(stream: Any, distance: Any) -> None:
    optimizers = [make("Adam", {"weight_decay": 0.1}) for _ in range(3)]
    for one in optimizers[:2]:
        one.exclude_from_weight_decay(var_names=["bias"])
    variables, parameters, decayed = stream.variables(), stream.parameters(), stream.parameters()
    optimizer = optimizer_like(build(optimizers[0], variables), parameters)
    wrong = optimizer_like(build(optimizers[2], variables), decayed)
    expected = stream.train_keras(optimizers[1], variables)
    assert distance(expected, stream.train_torch(optimizer, parameters)) <= 1e-12
    assert distance(expected, stream.train_torch(wrong, decayed)) > 1e-3


@pytest.mark.backend
def test_a_changed_learning_rate_is_followed_in_the_velocity(stream: Any, distance: Any) -> None:
    import torch

    keras_optimizer, variables, parameters = make("SGD", {"momentum": 0.9}), stream.variables(), stream.parameters()
    stock_parameters = stream.parameters()
    optimizer = optimizer_like(build(keras_optimizer, variables), parameters)
    stock = torch.optim.SGD(stock_parameters, lr=1e-3, momentum=0.9)
    schedulers = [torch.optim.lr_scheduler.StepLR(one, 100, 0.125) for one in (optimizer, stock)]
    stream.train_keras(keras_optimizer, variables, 0, 100)
    for one, own in ((optimizer, parameters), (stock, stock_parameters)):
        stream.train_torch(one, own, 0, 100)
    for scheduler in schedulers:
        for _ in range(100):
            scheduler.step()
    keras_optimizer.learning_rate = 1.25e-4
    expected = stream.train_keras(keras_optimizer, variables, 100, 110)
    assert distance(expected, stream.train_torch(optimizer, parameters, 100, 110)) <= 1e-12
    assert distance(expected, stream.train_torch(stock, stock_parameters, 100, 110)) > 1e-3


@pytest.mark.parametrize(
    ("name", "settings", "stock", "off"),
    [
        ("Adam", {"epsilon": 1e-3}, {"eps": 1e-3}, 1e-4),
        ("Adam", {}, {"eps": 1e-7}, 1e-7),
        ("RMSprop", {"epsilon": 1e-3}, {"eps": 1e-3, "alpha": 0.9}, 1e-4),
        ("RMSprop", {}, {"eps": 1e-7, "alpha": 0.9}, 1e-8),
        ("Adamax", {}, {"eps": 1e-7}, 1e-9),
        ("Nadam", {}, {"eps": 1e-7}, 1e-4),
        ("SGD", {"momentum": 0.9}, {"momentum": 0.9}, 1e-9),
        ("SGD", {"momentum": 0.9, "weight_decay": 0.1}, {"momentum": 0.9, "weight_decay": 0.1}, 1e-3),
    ],
    ids=label,
)
def test_torchs_own_class_with_the_same_settings_trains_differently(
    name: str, settings: dict[str, Any], stock: dict[str, Any], off: float, stream: Any, distance: Any
) -> None:
    import torch

    variables, parameters, own = stream.variables(), stream.parameters(), stream.parameters()
    keras_optimizer = build(make(name, settings), variables)
    optimizer = optimizer_like(keras_optimizer, parameters)
    torchs = getattr(torch.optim, {"Nadam": "NAdam"}.get(name, name))(own, lr=1e-3, **stock)
    expected = stream.train_torch(optimizer, parameters)
    assert distance(expected, stream.train_torch(torchs, own)) > off


@pytest.mark.backend
def test_the_roundings_of_the_other_backend_are_measurably_off(stream: Any, distance: Any) -> None:
    from frameworks.keras_in_torch.optimizers.rounding import Arithmetic
    from frameworks.keras_in_torch.optimizers.rules import Adam

    settings: dict[str, Any] = {"weight_decay": 0.1}
    variables, keras_optimizer = stream.variables(), make("Adam", settings)
    expected = stream.train_keras(keras_optimizer, variables)
    import keras

    mine: Any = keras.config.backend()
    other: Any = {"tensorflow": "torch", "torch": "tensorflow"}[mine]
    errors = {}
    for backend in (mine, other):
        parameters = stream.parameters()
        optimizer = Adam(parameters, lr=1e-3, arithmetic=Arithmetic(backend, "float32"), **settings)
        errors[backend] = distance(expected, stream.train_torch(optimizer, parameters))
    assert errors[mine] <= 1e-12
    assert errors[other] > 1e-8


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_state_dict_and_a_copy_continue_as_the_optimizer_would(name: str, stream: Any) -> None:
    import torch

    settings = {"use_ema": True, "gradient_accumulation_steps": 2, "weight_decay": 0.1, "learning_rate": SCHEDULE}
    variables, parameters = stream.variables(), stream.parameters()
    keras_optimizer = build(make(name, settings), variables)
    optimizer = optimizer_like(keras_optimizer, parameters)
    stream.train_torch(optimizer, parameters, 0, 11)
    again_parameters = stream.parameters()
    again = optimizer_like(keras_optimizer, again_parameters)
    fill(again_parameters, [parameter.detach().numpy() for parameter in parameters])
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    twin_parameters, twin = copy.deepcopy((parameters, optimizer))
    expected = stream.train_torch(optimizer, parameters, 11, 20)
    for one, own in ((again, again_parameters), (twin, twin_parameters)):
        for value, other in zip(expected, stream.train_torch(one, own, 11, 20), strict=True):
            np.testing.assert_array_equal(value, other)


@pytest.mark.backend
def test_averages_become_the_parameters_at_the_end(stream: Any, distance: Any) -> None:
    keras_optimizer, variables, parameters = make("SGD", {"use_ema": True}), stream.variables(), stream.parameters()
    optimizer: Any = optimizer_like(build(make("SGD", {"use_ema": True}), variables), parameters)
    stream.train_keras(keras_optimizer, variables, 0, 20)
    last = stream.train_torch(optimizer, parameters, 0, 20)
    keras_optimizer.finalize_variable_values(variables)
    optimizer.finalize_variable_values()
    expected = stream.train_keras(keras_optimizer, variables, 0, 0)
    averages = stream.train_torch(optimizer, parameters, 0, 0)
    assert distance(expected, averages) <= tolerance("SGD", {"use_ema": True})
    assert distance(expected, last) > 1e-4


def test_a_parameter_without_a_gradient_stays(stream: Any) -> None:
    parameters = stream.parameters()
    optimizer = optimizer_like(make("AdamW", {}), parameters)
    parameters[0].grad = parameters[0].detach().clone()
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.step()
    assert [bool((one == other).all()) for one, other in zip(before, parameters, strict=True)] == [False, True, True]


def test_an_infinite_norm_makes_every_gradient_nan_as_in_keras(stream: Any) -> None:
    import torch

    parameters = stream.parameters()
    optimizer = optimizer_like(make("SGD", {"global_clipnorm": 1.0}), parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    parameters[0].grad[0] = torch.inf
    optimizer.step()
    assert all(bool(parameter.isnan().all()) for parameter in parameters)
