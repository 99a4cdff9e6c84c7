"""The update rules of torch's optimizers in Keras: SGD, Adam, AdamW, RMSprop.

Like every Keras optimizer, they store the learning rate in float32 unless `keras.config.set_floatx` changes it; all other
numbers are exact. Clipping, moving averages and accumulation come from Keras.

Source: the formulas at https://docs.pytorch.org/docs/stable/generated/torch.optim.{SGD,Adam,AdamW,RMSprop}.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from frameworks.errors import GatewiseError, InvalidValueError, NoCounterpartError
from frameworks.keras.tensors import to_numpy
from frameworks.keras_in_torch.optimizers.keras_optimizer import Pairing
from frameworks.keras_in_torch.optimizers.pairing import pair

Number = Callable[[float], Any]
Slots = dict[str, Any]


class _TorchOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """The base of the rules: torch's settings under torch's names, slots, and a rule over plain tensors.

    Attributes:
        SETTINGS: torch's settings and their defaults, without the learning rate.
        SLOTS: the names of each variable's slots.
    """

    SETTINGS: ClassVar[Mapping[str, Any]]
    SLOTS: ClassVar[tuple[str, ...]]

    def __init__(self, learning_rate: Any = 0.001, **settings: Any) -> None:
        """Make the optimizer from torch's settings and those of every Keras optimizer; `weight_decay` is torch's.

        Args:
            learning_rate: the learning rate or schedule of a Keras optimizer.
            settings: torch's settings under torch's names; all others are passed to Keras.
        """
        around = {name: value for name, value in settings.items() if name not in self.SETTINGS}
        super().__init__(learning_rate=learning_rate, **around)
        self.settings = {**self.SETTINGS, **{name: settings[name] for name in self.SETTINGS if name in settings}}

    def build(self, variables: Any) -> None:
        """Make the slots."""
        if not self.built:
            super().build(variables)
            self.slots = [[self.add_variable_from_reference(each, name) for each in variables] for name in self.SLOTS]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply the rule to one variable."""
        mine = [slots[self._get_variable_index(variable)] for slots in self.slots]
        values = dict(zip(self.SLOTS, map(ops.convert_to_tensor, mine), strict=True))

        def number(value: Any) -> Any:
            # A cast of a Python number would round it to float32 on TensorFlow.
            return ops.convert_to_tensor(value, dtype=variable.dtype)

        step = ops.cast(self.iterations, variable.dtype) + 1
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = -gradient if self.settings["maximize"] else gradient
        self.assign(variable, self.rule(ops.convert_to_tensor(variable), gradient, values, number, step, rate))
        for slot, name in zip(mine, self.SLOTS, strict=True):
            self.assign(slot, values[name])

    def rule(self, p: Any, g: Any, slots: Slots, number: Number, step: Any, rate: Any) -> Any:
        """Return the variable's next value, and replace each value in `slots` by its next one."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable("gatewise")
class TorchSGD(_TorchOptimizer):
    """b = momentum b + (1 - dampening) g; p -= rate b, or rate (g + momentum b) (Nesterov)."""

    SETTINGS: ClassVar = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    SLOTS: ClassVar = ("momentum_buffer",)

    def rule(self, p: Any, g: Any, slots: Slots, number: Number, step: Any, rate: Any) -> Any:
        """Apply the rule, see the class."""
        momentum = number(self.settings["momentum"])
        g = g + number(self.settings["weight_decay"]) * p
        # The first buffer is the gradient itself, without dampening.
        dampening = number(self.settings["dampening"]) * ops.cast(step > 1, p.dtype)
        slots["momentum_buffer"] = buffer = momentum * slots["momentum_buffer"] + (1 - dampening) * g
        if not self.settings["momentum"]:
            return p - rate * g
        return p - rate * (g + momentum * buffer if self.settings["nesterov"] else buffer)


@keras.saving.register_keras_serializable("gatewise")
class TorchAdam(_TorchOptimizer):
    """p -= rate / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + eps): eps is added to the corrected root."""

    SETTINGS: ClassVar = {
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "amsgrad": False,
        "maximize": False,
        "decoupled_weight_decay": False,
    }
    SLOTS: ClassVar = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def rule(self, p: Any, g: Any, slots: Slots, number: Number, step: Any, rate: Any) -> Any:
        """Apply the rule, see the class."""
        first, second = map(number, self.settings["betas"])
        decay = number(self.settings["weight_decay"])
        if self.settings["decoupled_weight_decay"]:
            p = p * (1 - rate * decay)
        else:
            g = g + decay * p
        slots["exp_avg"] = m = first * slots["exp_avg"] + (1 - first) * g
        slots["exp_avg_sq"] = v = second * slots["exp_avg_sq"] + (1 - second) * g * g
        if self.settings["amsgrad"]:
            greatest = slots["max_exp_avg_sq"]
            # Keras's own maximum computes in float32 on every backend but TensorFlow.
            slots["max_exp_avg_sq"] = v = greatest + ops.relu(v - greatest)
        root = ops.sqrt(v) / ops.sqrt(1 - second**step) + number(self.settings["eps"])
        return p - rate / (1 - first**step) * m / root


@keras.saving.register_keras_serializable("gatewise")
class TorchAdamW(TorchAdam):
    """Adam with weight decay subtracted from the variable instead of added to the gradient."""

    SETTINGS: ClassVar = {**TorchAdam.SETTINGS, "weight_decay": 0.01, "decoupled_weight_decay": True}


@keras.saving.register_keras_serializable("gatewise")
class TorchRMSprop(_TorchOptimizer):
    """v = alpha v + (1 - alpha) g g; b = momentum b + g / (sqrt(v) + eps); p -= rate b: eps is added to the root."""

    SETTINGS: ClassVar = {
        "alpha": 0.99,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "momentum": 0.0,
        "centered": False,
        "maximize": False,
    }
    SLOTS: ClassVar = ("square_avg", "momentum_buffer", "grad_avg")

    def rule(self, p: Any, g: Any, slots: Slots, number: Number, step: Any, rate: Any) -> Any:
        """Apply the rule, see the class."""
        del step
        alpha, momentum = number(self.settings["alpha"]), number(self.settings["momentum"])
        g = g + number(self.settings["weight_decay"]) * p
        slots["square_avg"] = v = alpha * slots["square_avg"] + (1 - alpha) * g * g
        if self.settings["centered"]:
            slots["grad_avg"] = mean = alpha * slots["grad_avg"] + (1 - alpha) * g
            v = v - mean * mean
        slots["momentum_buffer"] = buffer = momentum * slots["momentum_buffer"] + g / (
            ops.sqrt(v) + number(self.settings["eps"])
        )
        return p - rate * buffer


_RULES: Mapping[str, type[_TorchOptimizer]] = {
    "SGD": TorchSGD,
    "Adam": TorchAdam,
    "AdamW": TorchAdamW,
    "RMSprop": TorchRMSprop,
}
_WITHOUT_EFFECT = {"params", "lr", "initial_lr", "foreach", "fused", "capturable", "differentiable"}


def optimizer_like(torch_optimizer: Any, variables: Any = None) -> keras.optimizers.Optimizer:
    """Make the Keras optimizer that updates as a torch optimizer does, see `frameworks.optimizer_like`."""
    kind = type(torch_optimizer)
    if not kind.__module__.startswith("torch.optim.") or kind.__name__ not in _RULES:
        raise NoCounterpartError.because(
            "the optimizer",
            must=f"be torch.optim's own {', '.join(_RULES)}",
            but=f"is a {kind.__name__} of {kind.__module__}",
            remedy="Derive from keras.optimizers.Optimizer and write its rule in update_step.",
        )
    if torch_optimizer.state and variables is None:
        remedy = "Pass Keras's variables in the order of the parameters, or pairs"
        raise _unmapped("come with variables if it has made steps", "holds slots, which belong to parameters", remedy)
    if len(torch_optimizer.param_groups) != 1:
        count = f"has {len(torch_optimizer.param_groups)}"
        raise _unmapped("have one parameter group", count, "Keras has no groups: make an optimizer for each")
    (group,) = torch_optimizer.param_groups
    settings = {name: value for name, value in group.items() if name not in _WITHOUT_EFFECT}
    unknown = settings.keys() - _RULES[kind.__name__].SETTINGS
    if unknown:
        raise _unmapped(
            "have settings that are known here", f"has {', '.join(sorted(unknown))}", "Use the pinned version of torch"
        )
    optimizer = _RULES[kind.__name__](learning_rate=float(group["lr"]), **settings)
    if variables is not None:
        _carry(torch_optimizer, optimizer, _pair(group["params"], variables))
    return optimizer


def _pair(parameters: list[Any], given: Any) -> list[Pairing]:
    given = list(given.items() if isinstance(given, Mapping) else given)
    if all(isinstance(one, keras.Variable) for one in given):
        return pair(parameters, given)
    return pair(given, None)


def _carry(source: Any, optimizer: _TorchOptimizer, pairings: list[Pairing]) -> None:
    variables = list({id(pairing.variable): pairing.variable for pairing in pairings}.values())
    optimizer.build(variables)
    at = {id(variable): index for index, variable in enumerate(variables)}
    for name, slots in zip(optimizer.SLOTS, optimizer.slots, strict=True):
        arrays = [to_numpy(slot).copy() for slot in slots]
        for pairing in pairings:
            tensor = source.state.get(pairing.parameter, {}).get(name)
            if tensor is not None:
                pairing.carry_back(to_numpy(tensor), arrays[at[id(pairing.variable)]])
        for slot, array in zip(slots, arrays, strict=True):
            slot.assign(array)
    # SGD counts no steps: it is enough that the next one is not the first.
    steps = [int(state.get("step", 1)) for state in source.state.values()]
    optimizer.iterations.assign(max(steps, default=0))


def _unmapped(must: str, but: str, remedy: str) -> GatewiseError:
    return InvalidValueError.because("the torch optimizer", must=must, but=but, remedy=f"{remedy}.")
