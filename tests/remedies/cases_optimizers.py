"""Remedies for optimizers, learning-rate schedules and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import torch
from torch import nn

from frameworks.keras_in_torch.optimizers.keras_optimizer import KerasOptimizer
from gatewise import convert, freeze_second_bias, optimizer_like, schedule_like
from tests.remedies.arrays import LAYERS, X, array, close, filled, lstm, tensor
from tests.remedies.following import case, refuses

OPTIMIZERS: Any = keras.optimizers


def dense() -> tuple[Any, Any]:
    """Return a Dense layer and the Linear module of the same weights."""
    layer, module = filled(LAYERS.Dense(2), X[:, 0]), nn.Linear(3, 2)
    kernel, bias = map(tensor, layer.get_weights())
    module.load_state_dict({"weight": kernel.T, "bias": bias})
    return layer, module


def built(optimizer: Any, layer: Any) -> Any:
    """Build a Keras optimizer for a layer."""
    optimizer.build(layer.trainable_variables)
    return optimizer


def step(optimizer: Any, follower: Any, layer: Any, module: Any, apart: Callable[[Any], None] = lambda _: None) -> None:
    """Make one step on both sides with the gradients 1, 2, 3, ... and compare the kernels."""
    gradients = [np.full(weight.shape, 0.1 * (1 + at), "float32") for at, weight in enumerate(layer.trainable_variables)]
    optimizer.apply_gradients(zip(map(keras.ops.convert_to_tensor, gradients), layer.trainable_variables, strict=True))
    for parameter, gradient in zip(module.parameters(), gradients, strict=True):
        parameter.grad = tensor(gradient.T)
    follower.step()
    apart(module)
    close(module.weight.T, layer.kernel)


@case
def pairs_of_parameters() -> None:
    layer, module = dense()
    optimizer = built(OPTIMIZERS.Adam(0.1), layer)
    with refuses("Pass module.parameters(), or pairs of layers and modules."):
        optimizer_like(optimizer, [])
    with refuses("Add a pair for each."):
        optimizer_like(optimizer, [(layer.kernel, module.weight)])
    with refuses("Pass them without groups; for torch's two biases use freeze_second_bias, which needs none."):
        optimizer_like(optimizer, [{"params": list(module.parameters())}])
    with refuses("Pass module.parameters(), [(variable, parameter), ...] or [(layer, module), ...]."):
        optimizer_like(optimizer, [layer])
    with refuses("Use variable.path."):
        optimizer_like(optimizer, [("kernel", module.weight), (layer.bias.path, module.bias)])
    with refuses("Pair recurrent layers as a whole: [(keras_layer, torch_module), ...]."):
        optimizer_like(optimizer, [module.weight])
    text = "Copy the weights first, pass the parameters in the order of Keras's trainable variables, and pair recurrent *"
    with refuses(text):
        optimizer_like(optimizer, [module.bias, module.weight])
    layer.trainable = False
    with refuses("Freeze the same layers on both sides: layer.trainable = False there, module.requires_grad_(False) here."):
        optimizer_like(optimizer, [(layer, module.requires_grad_(False))])
    layer.trainable = True
    module.requires_grad_(True)
    for given in (
        list(module.parameters()),
        [(layer, module)],
        [(layer.kernel, module.weight), (layer.bias, module.bias)],
        {layer.kernel.path: module.weight, layer.bias.path: module.bias},
    ):
        step(optimizer, optimizer_like(optimizer, given), layer, module)
    twice = dense()[0]
    with refuses("Share the same layers on both sides."):
        optimizer_like(OPTIMIZERS.Adam(0.1), [(layer, module), (filled(twice, X[:, 0]), module)])
    recurrent, rnn = lstm(), convert(lstm())
    freeze_second_bias(rnn)
    with refuses("Pair each layer with the module that has its weights."):
        optimizer_like(OPTIMIZERS.Adam(0.1), [(recurrent, nn.LSTM(3, 5))])
    assert optimizer_like(built(OPTIMIZERS.Adam(0.1), recurrent), [(recurrent, rnn)]).param_groups


@case
def a_keras_optimizer() -> None:
    layer, module = dense()
    for wrong in ("adam", nn.Linear):
        with refuses("Pass the optimizer itself, such as model.optimizer."):
            optimizer_like(wrong, module.parameters())

    class Own(keras.optimizers.SGD):  # type: ignore[misc]
        pass

    with refuses("Derive from frameworks.keras_in_torch.optimizers.keras_optimizer.KerasOptimizer and write its `update`."):
        optimizer_like(Own(0.1), module.parameters())

    class Followed(KerasOptimizer):
        SETTINGS: ClassVar = {"lr": 0.1}
        SLOTS: ClassVar = {}

        def update(self, group: Any, params: Any, grads: Any, slots: Any, rate: float) -> None:
            torch._foreach_add_(params, grads, alpha=-rate)

    step(built(Own(0.1), layer), Followed(module.parameters(), lr=0.1), layer, module)
    with refuses("Use Keras's names, and `lr` for the learning rate."):
        Followed(module.parameters(), learning_rate=0.1)
    with refuses("Use torch.optim.Muon for the matrices, and optimizer_like(keras.optimizers.AdamW(...)) for the rest."):
        optimizer_like(OPTIMIZERS.Muon(), module.parameters())
    with refuses("Scale with torch.amp.GradScaler, and pass its inner_optimizer here."):
        optimizer_like(OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.Adam(0.1)), module.parameters())
    inner = built(OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.Adam(0.1)).inner_optimizer, layer)
    step(inner, optimizer_like(inner, module.parameters()), layer, module)

    excluding = OPTIMIZERS.AdamW(0.1, weight_decay=0.1)
    excluding.exclude_from_weight_decay(var_names=["bias"])
    with refuses("Call optimizer.build(model.trainable_variables), or pass pairs of variables and parameters."):
        optimizer_like(excluding, module.parameters())
    optimizer_like(excluding, [(layer, module)])
    built(excluding, layer)
    step(excluding, optimizer_like(excluding, module.parameters()), layer, module)


@case
def a_learning_rate() -> None:
    _, module = dense()

    def falling(number: int = 0) -> float:
        return 0.1 / (1 + number)

    changing = OPTIMIZERS.SGD(0.1)
    changing._learning_rate = falling
    with refuses("Make the optimizer with a number, and pass the function to torch.optim.lr_scheduler.LambdaLR."):
        optimizer_like(changing, module.parameters())
    follower = optimizer_like(OPTIMIZERS.SGD(0.1), module.parameters())
    scheduler: Any = torch.optim.lr_scheduler.LambdaLR(follower, lambda number: falling(number) / 0.1)
    follower.step()
    scheduler.step()
    assert abs(scheduler.get_last_lr()[0] - 0.05) < 1e-7

    class Falling(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, number: Any) -> Any:
            return falling(number)

        def get_config(self) -> dict[str, Any]:
            return {}

    with refuses("Write it as a function of the step and pass that to torch.optim.lr_scheduler.LambdaLR."):
        schedule_like(Falling(), follower)
    schedule = OPTIMIZERS.schedules.ExponentialDecay(0.1, 1, 0.5)
    scheduled = optimizer_like(OPTIMIZERS.SGD(schedule), module.parameters())
    with refuses("Use it without a scheduler, or make it from a Keras optimizer with a constant learning rate."):
        schedule_like(schedule, scheduled)
    constant = optimizer_like(OPTIMIZERS.SGD(0.1), module.parameters())
    follows: Any = schedule_like(schedule, constant)
    constant.step()
    follows.step()
    assert abs(follows.get_last_lr()[0] - float(array(schedule(1)))) < 1e-7


@case
def what_keras_does_around_the_rule() -> None:
    layer, module = dense()
    layer.kernel.constraint = keras.constraints.NonNeg()
    optimizer = built(OPTIMIZERS.SGD(0.1), layer)
    with refuses("Apply it to the parameter yourself after each step, and leave it out here."):
        optimizer_like(optimizer, [(layer, module)])

    def constrained(module: Any) -> None:
        with torch.no_grad():
            module.weight.clamp_(min=0)

    unconstrained = dense()[0]
    step(
        optimizer,
        optimizer_like(built(OPTIMIZERS.SGD(0.1), unconstrained), [(unconstrained, module)]),
        layer,
        module,
        constrained,
    )
    window, conv = filled(LAYERS.Conv1D(2, 2), X), nn.Conv1d(3, 2, 2)
    kernel, bias = map(tensor, window.get_weights())
    conv.load_state_dict({"weight": kernel.permute(2, 1, 0), "bias": bias})
    with refuses("Choose an optimizer that works element by element, such as Adam."):
        optimizer_like(built(OPTIMIZERS.Adafactor(0.1), window), [(window, conv)])
    assert optimizer_like(built(OPTIMIZERS.Adam(0.1), window), [(window, conv)]).param_groups
    recurrent, rnn = lstm(), convert(lstm())
    text = "Freeze bias_hh of nn.LSTM and nn.RNN; for nn.GRU choose an optimizer and clipping that work element by element."
    with refuses(text):
        optimizer_like(built(OPTIMIZERS.Lamb(0.1), recurrent), [(recurrent, rnn)])
    freeze_second_bias(rnn)
    assert optimizer_like(built(OPTIMIZERS.Lamb(0.1), recurrent), [(recurrent, rnn)]).param_groups
    gru = filled(LAYERS.GRU(4))
    with refuses(text):
        optimizer_like(built(OPTIMIZERS.Lamb(0.1), gru), [(gru, convert(gru))])
    assert optimizer_like(built(OPTIMIZERS.Adam(0.1), gru), [(gru, convert(gru))]).param_groups
    sparse: Any = nn.Embedding(5, 3, sparse=True)
    follower = optimizer_like(OPTIMIZERS.Adam(0.1), sparse.parameters())
    sparse(torch.tensor([1, 2])).sum().backward()
    with refuses("Build the Embedding with sparse=False."):
        follower.step()
    plain = nn.Embedding(5, 3, sparse=False)
    follower = optimizer_like(OPTIMIZERS.Adam(0.1), plain.parameters())
    plain(torch.tensor([1, 2])).sum().backward()
    follower.step()


@case
def a_torch_optimizer() -> None:
    layer, module = dense()
    with refuses("Derive from keras.optimizers.Optimizer and write its rule in update_step."):
        optimizer_like(torch.optim.Rprop(module.parameters()))
    groups: list[dict[str, Any]] = [{"params": [module.weight]}, {"params": [module.bias], "lr": 0.1}]
    with refuses("Keras has no groups: make an optimizer for each."):
        optimizer_like(torch.optim.SGD(groups))
    assert len([optimizer_like(torch.optim.SGD([one])) for one in list(module.parameters())]) == 2
    stepped = torch.optim.Adam(module.parameters(), lr=0.1)
    module(tensor()).sum().backward()
    stepped.step()
    with refuses("Pass Keras's variables in the order of the parameters, or pairs."):
        optimizer_like(stepped)
    layer.set_weights([array(module.weight.T), array(module.bias)])
    follower = optimizer_like(stepped, layer.trainable_variables)
    step(follower, stepped, layer, module)
