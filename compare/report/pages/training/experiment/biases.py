"""An LSTM trained in both frameworks with the same rule: the effect of PyTorch's two biases, and two remedies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.cases import draw_weights
from compare.report.results import Results, control, environment, exact, measured
from compare.report.snippets import run_snippet
from frameworks import RecurrentSpec, build, convert, optimizer_like

STEPS, EVERY = 200, 20
_SPEC = RecurrentSpec("lstm", input_size=3, hidden_size=5, dtype="float64")
_BATCH, _TIME = 4, 2

RULES = {
    "SGD": "keras.optimizers.SGD(0.1)",
    "SGD with momentum": "keras.optimizers.SGD(0.02, momentum=0.9)",
    "Adam": "keras.optimizers.Adam(0.002)",
}
FREEZE = """\
from gatewise import freeze_second_bias, optimizer_like

freeze_second_bias(rnn)                     # bias_ih becomes the sum; bias_hh is zero and no longer trained
optimizer = optimizer_like(keras_optimizer, [(layer, rnn)])
"""
HALVE = """\
from gatewise import half_rate_for_biases

groups = half_rate_for_biases(rnn, lr)      # two parameter groups, the biases at lr / 2
optimizer = make_optimizer(groups)          # torch.optim.SGD, or any other class of torch
"""
Distances = list[tuple[float, float]]


def run(progress: Callable[[str], None]) -> Results:
    """Train 200 steps with each rule: without a remedy, with one bias frozen, and with both at half the rate."""
    rules = {}
    for rule, optimizer in RULES.items():
        progress(f"{STEPS} steps of {rule}")
        rules[rule] = {"optimizer": exact(optimizer), **_run_rule(optimizer)}
    return {
        "steps": exact(list(range(0, STEPS + 1, EVERY))),
        "code": {"freeze_second_bias": exact(FREEZE), "half_rate_for_biases": exact(HALVE)},
        "rules": rules,
    }


def _run_rule(rule: str) -> Results:
    start = build("keras", _SPEC)
    start.set_weights(draw_weights(_SPEC, seed=3, scale=0.4))
    layer = start.native
    modules = {remedy: convert(layer) for remedy in ("nothing", "freeze_second_bias", "half_rate_for_biases")}
    optimizers = {remedy: _prepare(remedy, _rule(rule), layer, module) for remedy, module in modules.items()}
    distances: dict[str, Distances] = {remedy: [(0.0, 0.0)] for remedy in modules}
    train_keras, train_torch = _keras_training(layer, _rule(rule)), _torch_training()
    for _ in range(STEPS // EVERY):
        train_keras()
        expected = convert(layer)
        for remedy, module in modules.items():
            train_torch(module, optimizers[remedy])
            distances[remedy].append(_distances(expected, module))
    return {remedy: _judged(remedy, course) for remedy, course in distances.items()}


def _rule(text: str) -> Any:
    import keras

    return eval(text, {"keras": keras})  # noqa: S307  the text is one of RULES


def _prepare(remedy: str, keras_optimizer: Any, layer: Any, rnn: Any) -> Any:
    """Make the optimizer that follows Keras's rule, and apply the remedy to the module."""
    if remedy == "nothing":
        return optimizer_like(keras_optimizer, [(layer, rnn)])
    given: dict[str, Any] = {"keras_optimizer": keras_optimizer, "layer": layer, "rnn": rnn}
    if remedy == "freeze_second_bias":
        return run_snippet(FREEZE, given)[1]["optimizer"]
    follower = optimizer_like(keras_optimizer, [(layer, rnn)])
    given |= {"lr": follower.param_groups[0]["lr"], "make_optimizer": lambda groups: _grouped(follower, groups)}
    return run_snippet(HALVE, given)[1]["optimizer"]


def _grouped(follower: Any, groups: Any) -> Any:
    """Make an optimizer of the same class and settings from groups, which `optimizer_like` does not accept."""
    kind = type(follower)
    settings = {name: follower.param_groups[0][name] for name in getattr(kind, "SETTINGS", ())}
    return kind(groups, **settings, **({"arithmetic": follower.arithmetic} if settings else {}))


def _data() -> tuple[Any, Any]:
    """Draw inputs, (batch, time, input), and targets, (batch, time, hidden)."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(_BATCH, _TIME, _SPEC.input_size)), rng.normal(size=(_BATCH, _TIME, _SPEC.hidden_size))


def _keras_training(layer: Any, optimizer: Any) -> Callable[[], None]:
    import tensorflow as tf

    x, target = map(tf.constant, _data())
    variables = layer.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x)[0] - target))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    def train() -> None:
        for _ in range(EVERY):
            step()

    return train


def _torch_training() -> Callable[[Any, Any], None]:
    import torch

    x, target = map(torch.from_numpy, _data())

    def train(module: Any, optimizer: Any) -> None:
        for _ in range(EVERY):
            optimizer.zero_grad()
            (module(x)[0] - target).square().mean().backward()
            optimizer.step()

    return train


def _distances(expected: Any, module: Any) -> tuple[float, float]:
    """Return the largest distance of the summed biases, and the largest distance of all other parameters."""
    one, other = ({name: each.detach() for name, each in rnn.named_parameters()} for rnn in (expected, module))
    biases = [each["bias_ih_l0"] + each["bias_hh_l0"] for each in (one, other)]
    kernels = [float((one[name] - other[name]).abs().max()) for name in one if name.startswith("weight")]
    return float((biases[0] - biases[1]).abs().max()), max(kernels)


def _judged(remedy: str, course: Distances) -> Results:
    bias, others = course[-1]
    allowed = TOLERANCES["float64"]
    judged = (
        {"bias": control(bias), "others": control(others)}
        if remedy == "nothing"
        else {"bias": measured(bias, allowed), "others": measured(others, allowed)}
    )
    return {
        **judged,
        "bias by step": environment([distance for distance, _ in course]),
        "others by step": environment([distance for _, distance in course]),
    }
