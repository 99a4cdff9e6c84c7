"""The base class of torch optimizers that follow Keras's rules: a step with everything that all Keras optimizers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.optim.optimizer import ParamsT

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.optimizers.rounding import EXACT, Arithmetic
from frameworks.keras_in_torch.optimizers.schedules import Schedule
from frameworks.keras_in_torch.optimizers.wrapping import Tensors, Wrapping

Array = npt.NDArray[Any]
Group = dict[str, Any]
_WRAPPING = frozenset(field.name for field in fields(Wrapping))


@dataclass(frozen=True)
class Pairing:
    """A torch parameter and the Keras variable that it corresponds to.

    Attributes:
        parameter: the torch parameter.
        variable: the Keras variable, or None if it is not known because there are no slots to carry over.
        carry: a function that converts an array shaped like the variable to an array shaped like the parameter.
        transposes: whether `carry` reverses the axes.
    """

    parameter: nn.Parameter
    variable: Any = None
    carry: Callable[[Array], Array] = np.asarray
    transposes: bool = False

    def carry_back(self, array: Array, result: Array) -> None:
        """Write an array shaped like the parameter into one shaped like the variable; each of two biases fills its part."""
        places = self.carry(np.arange(result.size).reshape(result.shape))
        result.flat[places] = array


class KerasOptimizer(torch.optim.Optimizer):
    """A torch optimizer that makes the same updates as the Keras optimizer of the same name.

    It is used like any other torch optimizer: learning-rate schedulers change `param_groups[...]["lr"]`, and `state_dict`
    contains the slots and the step count. Parameters without weight decay go into a parameter group with `weight_decay=None`.

    Attributes:
        SETTINGS: the settings of the rule and their defaults in Keras.
        SLOTS: the slots of each parameter, and for each slot the attribute of the Keras optimizer that stores it.
        wrapping: the settings that all Keras optimizers share.
        schedule: the learning rate as a function of the step, which replaces the rates of the groups before each step, or None.
        arithmetic: the arithmetic whose roundings are followed.
    """

    SETTINGS: ClassVar[Mapping[str, Any]]
    SLOTS: ClassVar[Mapping[str, str]]

    def __init__(
        self, params: ParamsT, *, schedule: Schedule | None = None, arithmetic: Arithmetic = EXACT, **settings: Any
    ) -> None:
        """Make the optimizer from Keras's settings under Keras's names, except the learning rate, which is `lr`.

        Args:
            params: the parameters to optimize, or groups with their own `lr`, `weight_decay` or settings of the rule.
            schedule: the learning rate as a function of the step.
            arithmetic: the arithmetic whose roundings to follow.
            settings: the settings of the rule, `weight_decay`, and the settings of `Wrapping`.

        Raises:
            GatewiseError: for a setting that the optimizer does not have.
        """
        defaults = {"weight_decay": None, **self.SETTINGS}
        unknown = settings.keys() - defaults - _WRAPPING
        if unknown:
            raise InvalidTypeError.because(
                f"the settings of {type(self).__name__}",
                must=f"be among {', '.join(sorted({*defaults, *_WRAPPING}))}",
                but=f"hold {', '.join(sorted(unknown))}",
                remedy="Use Keras's names, and `lr` for the learning rate.",
            )
        self.wrapping = Wrapping(**{name: value for name, value in settings.items() if name in _WRAPPING})
        self.schedule = schedule
        self.arithmetic = arithmetic
        given = {name: value for name, value in settings.items() if name in defaults}
        super().__init__(params, {**defaults, **given, "iterations": 0})

    def __getstate__(self) -> dict[str, Any]:
        own = ("wrapping", "schedule", "arithmetic")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}}

    @property
    def iterations(self) -> int:
        """The number of steps so far; `gradient_accumulation_steps` of them make one update."""
        return int(self.param_groups[0]["iterations"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step, like Keras's `apply`. If there is no gradient, nothing happens, whereas Keras raises an error.

        Args:
            closure: recomputes the loss and its gradients.

        Returns:
            The closure's result, or None without a closure.
        """
        loss = None if closure is None else torch.enable_grad()(closure)()
        batches = [(group, [one for one in group["params"] if one.grad is not None]) for group in self.param_groups]
        params = [one for _, some in batches for one in some]
        if not params:
            return loss
        self._update(batches, self._gradients(params))
        if self.wrapping.use_ema:
            self._average()
        for group in self.param_groups:
            group["iterations"] += 1
        return loss

    def finalize_variable_values(self) -> None:
        """Set the parameters to their moving averages, as Keras's `fit` does after the last epoch."""
        if self.wrapping.use_ema:
            self._overwrite()

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule.

        Args:
            group: the group's settings.
            params: at least one parameter, changed in place.
            grads: their gradients, which must not be changed.
            slots: a list for each name in `SLOTS`, changed in place; its entries are None if `initial` left the slot out.
            rate: the learning rate.
        """
        raise NotImplementedError

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the slots that a parameter needs under these settings, as before the first update: zeros by default."""
        del group
        return {name: torch.zeros_like(param) for name in self.SLOTS}

    def slots(self, group: Group, params: Tensors) -> list[Tensors]:
        """Return the slots of these parameters, one list per name in `SLOTS`."""
        for param in params:
            if self.SLOTS.keys().isdisjoint(self.state[param]):
                self.state[param].update(self.initial(group, param))
        return [[self.state[param].get(name) for param in params] for name in self.SLOTS]

    def carried(self, slots: Mapping[str, Array], pairing: Pairing) -> dict[str, Array]:
        """Convert the Keras slots of a variable to this optimizer's slots of the paired parameter."""
        return {name: pairing.carry(slot) for name, slot in slots.items()}

    def local_step(self, group: Group) -> int:
        """Return the number of the update, from 1."""
        return int(group["iterations"]) // self.wrapping.steps + 1

    def _gradients(self, params: Tensors) -> Tensors | None:
        """Return the gradients of an update, averaged and clipped, or None if this step only accumulates gradients."""
        grads = [_dense(param) for param in params]
        wrapping = self.wrapping
        if wrapping.loss_scale_factor is not None:
            grads = list(torch._foreach_div(grads, wrapping.loss_scale_factor))
        if wrapping.steps > 1:
            sums = [self._slot(param, "gradient_accumulator") for param in params]
            torch._foreach_add_(sums, grads)
            if (self.iterations + 1) % wrapping.steps:
                return None
            grads = list(torch._foreach_div(sums, wrapping.steps))
            torch._foreach_zero_(
                [state["gradient_accumulator"] for state in self.state.values() if "gradient_accumulator" in state]
            )
        return wrapping.clip(grads)

    def _update(self, batches: list[tuple[Group, Tensors]], grads: Tensors | None) -> None:
        if grads is None:
            return
        for group, params in batches:
            mine, grads = grads[: len(params)], grads[len(params) :]
            if self.schedule is not None:
                group["lr"] = self.schedule(group["iterations"])
            if params:
                rate = self.arithmetic.rate(group["lr"])
                slots = self.slots(group, params)  # before weight decay, as some start from the parameter's value
                if group["weight_decay"] is not None:
                    torch._foreach_mul_(params, self.arithmetic.kept(rate, group["weight_decay"]))
                self.update(group, params, mine, slots, rate)

    def _average(self) -> None:
        wrapping = self.wrapping
        for group in self.param_groups:
            params = group["params"]
            averages = [self._slot(param, "average") for param in params]
            kept = wrapping.ema_momentum if self.local_step(group) > 1 else 0.0
            torch._foreach_lerp_(averages, params, 1 - kept)
        if wrapping.ema_overwrite_frequency and self.local_step(self.param_groups[0]) % wrapping.ema_overwrite_frequency == 0:
            self._overwrite()

    @torch.no_grad()
    def _overwrite(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                param.copy_(self._slot(param, "average"))

    def _slot(self, param: torch.Tensor, name: str) -> torch.Tensor:
        state = self.state[param]
        if name not in state:
            state[name] = torch.zeros_like(param)
        slot: torch.Tensor = state[name]
        return slot


def _dense(param: torch.Tensor) -> torch.Tensor:
    grad = param.grad
    if grad is None or grad.is_sparse:
        raise InvalidValueError.because(
            f"the gradient of a parameter of shape {tuple(param.shape)}",
            must="be dense",
            but="is sparse",
            remedy="Build the Embedding with sparse=False.",
        )
    return grad
