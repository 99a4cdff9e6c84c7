"""torch's two biases train as Keras's one if one is frozen or both learn at half the rate, and not without that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import copy_weights, freeze_second_bias, half_rate_for_biases, optimizer_like
from frameworks.keras_in_torch.optimizers.rules import Lion

STEPS, INPUT, HIDDEN = 200, 3, 4
KINDS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
RULES: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda optimizers: optimizers.SGD(0.02),
    "momentum": lambda optimizers: optimizers.SGD(0.005, momentum=0.9),
    "Adam": lambda optimizers: optimizers.Adam(0.001),
}
NUMBERS = np.random.default_rng(0)
X, TARGET = NUMBERS.normal(size=(5, 3, INPUT)), NUMBERS.normal(size=(5, 3, HIDDEN))


def twins(kind: str) -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    layer = getattr(keras.layers, kind)(HIDDEN, return_sequences=True, dtype="float64")
    layer.build((None, None, INPUT))
    module = KINDS[kind](INPUT, HIDDEN, batch_first=True).double()
    copy_weights(layer, module)
    return layer, module


def train_keras(layer: Any, optimizer: Any) -> None:
    import tensorflow as tf

    optimizer.build(layer.trainable_variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(tf.constant(X)) - TARGET))
        variables = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    for _ in range(STEPS):
        step()


def train_torch(module: Any, optimizer: Any, steps: int = STEPS) -> None:
    x, target = torch.from_numpy(X), torch.from_numpy(TARGET)
    for _ in range(steps):
        optimizer.zero_grad()
        (module(x)[0] - target).square().mean().backward()
        optimizer.step()


def distances(layer: Any, module: Any) -> tuple[float, float]:
    """Return the error of the bias, as a sum where torch has two, and that of the kernels."""
    expected = copy.deepcopy(module)
    copy_weights(layer, expected)
    ours, theirs = ({name: one.detach() for name, one in each.named_parameters()} for each in (module, expected))
    biases = [one["bias_ih_l0"] + one["bias_hh_l0"] for one in (ours, theirs)]
    kernels = [torch.cat([one["weight_ih_l0"], one["weight_hh_l0"]], dim=1) for one in (ours, theirs)]
    return float((biases[0] - biases[1]).abs().max()), float((kernels[0] - kernels[1]).abs().max())


def grouped(follower: Any, module: Any) -> Any:
    """Return the same optimizer over parameter groups, which optimizer_like does not accept."""
    (group,) = follower.param_groups
    groups = half_rate_for_biases(module, group["lr"])
    if type(follower) is torch.optim.SGD:
        return torch.optim.SGD(groups)
    settings = {name: group[name] for name in type(follower).SETTINGS}
    return type(follower)(groups, arithmetic=follower.arithmetic, **settings)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM"])
def test_either_remedy_trains_the_bias_as_keras_does_and_without_one_it_does_not(kind: str, rule: str) -> None:
    import keras

    layer, untouched = twins(kind)
    frozen, halved = freeze_second_bias(copy.deepcopy(untouched)), copy.deepcopy(untouched)
    halved.bias_hh_l0.data.normal_(generator=torch.Generator().manual_seed(0))
    halved.bias_ih_l0.data.sub_(halved.bias_hh_l0.data)  # whatever each of the two contributes
    followers = {
        module: optimizer_like(RULES[rule](keras.optimizers), [(layer, module)]) for module in (untouched, frozen, halved)
    }
    followers[halved] = grouped(followers[halved], halved)
    train_keras(layer, RULES[rule](keras.optimizers))
    for module, follower in followers.items():
        train_torch(module, follower)
    assert not frozen.bias_hh_l0.any()
    assert max(distances(layer, frozen)) < 1e-12
    assert max(distances(layer, halved)) < 1e-12
    bias, kernels = distances(layer, untouched)
    assert bias > 2e-2
    assert kernels > 1e-3


def test_a_gru_needs_no_remedy() -> None:
    import keras

    layer, module = twins("GRU")
    before = copy.deepcopy(module)
    assert freeze_second_bias(module) is module
    for one, other in zip(module.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.requires_grad
    assert len(half_rate_for_biases(module, 0.1)) == 1
    optimizer = RULES["SGD"](keras.optimizers)
    follower = optimizer_like(optimizer, [(layer, module)])
    train_keras(layer, optimizer)
    train_torch(module, follower)
    assert max(distances(layer, module)) < 1e-12


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, INPUT)
        self.first = nn.LSTM(INPUT, HIDDEN, num_layers=2, bidirectional=True, batch_first=True)
        self.cells = nn.ModuleList([nn.LSTMCell(8, 5), nn.RNNCell(5, 5), nn.GRUCell(5, 5)])
        self.bare = nn.RNN(5, 2, bias=False)
        self.out = nn.Linear(5, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        h = self.first(self.embed(ids))[0][:, -1]
        h = self.cells[2](self.cells[1](self.cells[0](h)[0]))
        summed: torch.Tensor = self.out(h) + self.bare(h[None])[0][0]
        return summed


def test_a_model_keeps_its_function_and_loses_the_second_biases() -> None:
    model = Model().double()
    ids = torch.arange(6).reshape(2, 3)
    before = model(ids)
    before.sum().backward()
    freeze_second_bias(freeze_second_bias(model))
    torch.testing.assert_close(model(ids), before, rtol=0, atol=1e-15)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    second = {name for name, _ in model.named_parameters() if "bias_hh" in name and "cells.2" not in name}
    assert frozen == second
    assert len(second) == 6
    assert all(not parameter.any() and parameter.grad is None for name, parameter in model.named_parameters() if name in second)


def test_the_groups_hold_each_trained_parameter_once_and_the_pairs_at_half_the_rate() -> None:
    model = Model()
    model.embed.weight.requires_grad = False
    model.again = model.first
    rest, biases = half_rate_for_biases(model, 0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert (rest["lr"], biases["lr"]) == (0.5, 0.25)
    halved = [names[id(parameter)] for parameter in biases["params"]]
    assert sorted(halved) == sorted(name for name in names.values() if "bias_" in name and "cells.2" not in name)
    everything = [names[id(parameter)] for group in (rest, biases) for parameter in group["params"]]
    assert sorted(everything) == sorted(name for name in names.values() if name != "embed.weight")
    freeze_second_bias(model)
    (alone,) = half_rate_for_biases(model, 0.5)  # the only trained bias learns at the full rate
    assert any(parameter is model.first.bias_ih_l0 for parameter in alone["params"])


@pytest.mark.parametrize(("frozen", "left"), [(("bias_ih_l0",), True), (("bias_ih_l0", "bias_hh_l0"), False)])
def test_a_bias_that_was_not_trained_stays_so_and_one_that_was_goes_on(frozen: tuple[str, ...], *, left: bool) -> None:
    module = nn.LSTM(2, 3)
    for name in frozen:
        getattr(module, name).requires_grad = False
    freeze_second_bias(module)
    assert module.bias_ih_l0.requires_grad is left
    assert module.bias_hh_l0.requires_grad is False


def apart(make: Callable[..., Any], clip: Callable[[Any], object] = lambda _: None, **second: float) -> float:
    """Return how far the sum of two biases at half the rate is from one bias, after 20 steps.

    Args:
        make: the optimizer of parameters or groups, given a rate.
        clip: changes the gradients of a module before each step.
        second: settings of the group of biases.
    """
    torch.manual_seed(0)
    halved: Any = nn.RNN(INPUT, HIDDEN, batch_first=True).double()
    frozen = freeze_second_bias(copy.deepcopy(halved))
    groups = half_rate_for_biases(halved, 0.01)
    groups[1] |= second
    trained = [parameter for parameter in frozen.parameters() if parameter.requires_grad]
    for module, optimizer in ((halved, make(groups, lr=0.01)), (frozen, make(trained, lr=0.01))):

        def before_a_step(*_: Any, module: Any = module) -> None:
            clip(module)

        optimizer.register_step_pre_hook(before_a_step)
        train_torch(module, optimizer, steps=20)
    gap: torch.Tensor = halved.bias_ih_l0 + halved.bias_hh_l0 - frozen.bias_ih_l0
    return float(gap.detach().abs().max())


def clip_each(module: Any) -> None:
    for parameter in module.parameters():
        if parameter.grad is not None:
            nn.utils.clip_grad_norm_([parameter], 0.01)


def test_half_the_rate_is_exact_where_it_is_said_to_be_and_nowhere_else() -> None:
    optim = torch.optim
    for kind in (optim.SGD, optim.RMSprop, optim.Adagrad, optim.Adadelta, optim.Adam, optim.Adamax, optim.NAdam, Lion):
        assert apart(kind) < 1e-12, kind
    assert apart(partial(optim.SGD, momentum=0.9)) < 1e-12
    assert apart(optim.SGD, lambda module: nn.utils.clip_grad_value_(module.parameters(), 0.01)) < 1e-12
    assert apart(optim.SGD, clip_each) < 1e-12
    assert apart(optim.SGD, lambda module: nn.utils.clip_grad_norm_(module.parameters(), 0.01)) > 1e-4
    assert apart(optim.Adafactor) > 1e-4


def test_weight_decay_of_the_halved_biases_is_doubled_where_that_is_exact() -> None:
    for kind in (torch.optim.SGD, torch.optim.AdamW):
        decays = partial(kind, weight_decay=0.3)
        assert apart(decays, weight_decay=0.6) < 1e-12
        assert apart(decays) > 1e-3
    assert apart(partial(torch.optim.Adam, weight_decay=0.3), weight_decay=0.6) > 1e-4


def _parametrised() -> Any:
    return nn.utils.parametrizations.weight_norm(nn.LSTM(2, 3), "bias_ih_l0")


def _shared() -> Any:
    module = nn.LSTM(2, 3, num_layers=2)
    module.bias_ih_l1 = module.bias_ih_l0
    return module


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "parametrised": (_parametrised, ("bias_ih_l0", "plain parameters", "remove_parametrizations")),
    "shared": (_shared, ("belongs to several pairs",)),
    "another": (lambda: nn.LSTM(2, 3).parameters(), ("generator", "torch.nn.Module")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_biases_that_cannot_become_one_are_refused_and_stay(case: str, refused: Any) -> None:
    make, said = REFUSED[case]
    module = make()
    kept = {name: one.detach().clone() for name, one in module.named_parameters()} if isinstance(module, nn.Module) else {}
    for remedy in (freeze_second_bias, lambda one: half_rate_for_biases(one, 0.1)):
        with refused(*said):
            remedy(module)
    assert all(torch.equal(kept[name], one) for name, one in (module.named_parameters() if kept else ()))


@pytest.mark.parametrize("rate", [0, -1.0, True, "0.1", float("nan")])
def test_a_rate_is_a_positive_number(rate: Any, refused: Any) -> None:
    with refused("lr", repr(rate)):
        half_rate_for_biases(nn.LSTM(2, 3), rate)


def test_groups_are_refused_by_optimizer_like_with_the_other_remedy(refused: Any) -> None:
    import keras

    with refused("parameter group", "freeze_second_bias"):
        optimizer_like(keras.optimizers.SGD(0.1), half_rate_for_biases(nn.LSTM(2, 3), 0.1))
