"""The update rules of Keras's optimizers, in torch's foreach kernels; each class has the name of the Keras class.

`rate` is the learning rate, m and v are the first and second moments, and t is the number of the update, from 1.

Source: `update_step` of keras/src/optimizers/{sgd,adam,adamw,rmsprop,adagrad,adadelta,adamax,nadam,lion}.py.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from frameworks.keras_in_torch.optimizers.keras_optimizer import Group, KerasOptimizer
from frameworks.keras_in_torch.optimizers.wrapping import Tensors

BETAS = {"beta_1": 0.9, "beta_2": 0.999}
MOMENTS = {"momentum": "_momentums", "velocity": "_velocities"}


class SGD(KerasOptimizer):
    """m = momentum m - rate g; p += m, or p += momentum m - rate g (Nesterov): the momentum includes the rate."""

    SETTINGS: ClassVar = {"lr": 0.01, "momentum": 0.0, "nesterov": False}
    SLOTS: ClassVar = {"momentum": "momentums"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return zeros if there is momentum, else no slots."""
        return super().initial(group, param) if group["momentum"] else {}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        if not group["momentum"]:
            torch._foreach_add_(params, grads, alpha=-rate)
            return
        (m,) = slots
        momentum = self.arithmetic.cast(group["momentum"])
        torch._foreach_mul_(m, momentum)
        torch._foreach_add_(m, grads, alpha=-rate)
        if group["nesterov"]:
            torch._foreach_add_(params, m, alpha=momentum)
            torch._foreach_add_(params, grads, alpha=-rate)
        else:
            torch._foreach_add_(params, m)


class Moments(KerasOptimizer):
    """The base of the optimizers of Adam's family."""

    def corrections(self, group: Group, dtype: torch.dtype, *names: str) -> list[torch.Tensor]:
        """Return 1 - beta^t for each of these betas: the bias correction by which a moment is divided."""
        number, cast = self.arithmetic.number, self.arithmetic.cast
        step = number(self.local_step(group), dtype)
        return [1 - number(cast(group[name]), dtype) ** step for name in names]

    def moments(self, group: Group, grads: Tensors, m: Tensors, v: Tensors) -> None:
        """Update m and v: m += (g - m) (1 - beta_1), v += (g g - v) (1 - beta_2)."""
        torch._foreach_lerp_(m, grads, 1 - group["beta_1"])
        torch._foreach_mul_(v, group["beta_2"])
        torch._foreach_addcmul_(v, grads, grads, 1 - group["beta_2"])


class Adam(Moments):
    """p -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon): epsilon is added to the uncorrected root."""

    SETTINGS: ClassVar = {"lr": 0.001, **BETAS, "epsilon": 1e-7, "amsgrad": False}
    SLOTS: ClassVar = {**MOMENTS, "velocity_hat": "_velocity_hats"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return zeros, including the slot of the greatest velocity only for AMSGrad."""
        slots = super().initial(group, param)
        return {name: slot for name, slot in slots.items() if group["amsgrad"] or name != "velocity_hat"}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        m, v, v_hat = slots
        number = self.arithmetic.number(rate, params[0].dtype)
        first, second = self.corrections(group, params[0].dtype, "beta_1", "beta_2")
        self.moments(group, grads, m, v)
        if group["amsgrad"]:
            torch._foreach_maximum_(v_hat, v)
            v = v_hat
        roots = torch._foreach_sqrt(v)
        torch._foreach_add_(roots, group["epsilon"])
        torch._foreach_addcdiv_(params, m, roots, -(number * second.sqrt() / first).item())


class AdamW(Adam):
    """Adam with weight decay by default."""

    SETTINGS: ClassVar = {**Adam.SETTINGS, "weight_decay": 0.004}


class Adamax(Moments):
    """m as in Adam; u = max(beta_2 u, |g|); p -= rate / (1 - beta_1^t) m / (u + epsilon)."""

    SETTINGS: ClassVar = {"lr": 0.001, **BETAS, "epsilon": 1e-7}
    SLOTS: ClassVar = {"momentum": "_m", "norm": "_u"}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        m, u = slots
        number = self.arithmetic.number(rate, params[0].dtype)
        (first,) = self.corrections(group, params[0].dtype, "beta_1")
        torch._foreach_lerp_(m, grads, 1 - group["beta_1"])
        torch._foreach_mul_(u, group["beta_2"])
        torch._foreach_maximum_(u, torch._foreach_abs(grads))
        torch._foreach_addcdiv_(params, m, torch._foreach_add(u, group["epsilon"]), -(number / first).item())


class RMSprop(KerasOptimizer):
    """v = rho v + (1 - rho) g g; p -= rate g / sqrt(v + epsilon): epsilon is added under the root.

    If centered, the square of the mean gradient is subtracted from v under the root. With momentum, m = momentum m + step and
    p -= m, where step is the change that the formula above subtracts from p.
    """

    SETTINGS: ClassVar = {"lr": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}
    SLOTS: ClassVar = {"velocity": "_velocities", "momentum": "_momentums", "average_gradient": "_average_gradients"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return zeros for the slots that the settings need."""
        needed = {"velocity": True, "momentum": group["momentum"], "average_gradient": group["centered"]}
        return {name: slot for name, slot in super().initial(group, param).items() if needed[name]}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        v, m, mean = slots
        torch._foreach_mul_(v, group["rho"])
        torch._foreach_addcmul_(v, grads, grads, 1 - group["rho"])
        roots = torch._foreach_add(v, group["epsilon"])
        if group["centered"]:
            torch._foreach_lerp_(mean, grads, 1 - group["rho"])
            torch._foreach_addcmul_(roots, mean, mean, -1)
        torch._foreach_sqrt_(roots)
        if group["momentum"]:
            torch._foreach_mul_(m, group["momentum"])
            torch._foreach_addcdiv_(m, grads, roots, rate)
            torch._foreach_add_(params, m, alpha=-1)
        else:
            torch._foreach_addcdiv_(params, grads, roots, -rate)


class Adagrad(KerasOptimizer):
    """a += g g; p -= rate g / sqrt(a + epsilon)."""

    SETTINGS: ClassVar = {"lr": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7}
    SLOTS: ClassVar = {"accumulator": "_accumulators"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the accumulator with its initial value."""
        return {"accumulator": torch.full_like(param, self.arithmetic.cast(group["initial_accumulator_value"]))}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        (accumulator,) = slots
        torch._foreach_addcmul_(accumulator, grads, grads)
        roots = torch._foreach_add(accumulator, group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(params, grads, roots, -rate)


class Adadelta(KerasOptimizer):
    """a = rho a + (1 - rho) g g; d = g sqrt(b + epsilon) / sqrt(a + epsilon); b = rho b + (1 - rho) d d; p -= rate d."""

    SETTINGS: ClassVar = {"lr": 0.001, "rho": 0.95, "epsilon": 1e-7}
    SLOTS: ClassVar = {"accumulated_grad": "_accumulated_grads", "accumulated_delta_var": "_accumulated_delta_vars"}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        a, b = slots
        torch._foreach_mul_(a, group["rho"])
        torch._foreach_addcmul_(a, grads, grads, 1 - group["rho"])
        roots = torch._foreach_add(a, group["epsilon"])
        torch._foreach_sqrt_(roots)
        deltas = torch._foreach_add(b, group["epsilon"])
        torch._foreach_sqrt_(deltas)
        torch._foreach_div_(deltas, roots)
        torch._foreach_mul_(deltas, grads)
        torch._foreach_mul_(b, group["rho"])
        torch._foreach_addcmul_(b, deltas, deltas, 1 - group["rho"])
        torch._foreach_add_(params, deltas, alpha=-rate)


class Lion(KerasOptimizer):
    """p -= rate sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g."""

    SETTINGS: ClassVar = {"lr": 0.001, "beta_1": 0.9, "beta_2": 0.99}
    SLOTS: ClassVar = {"momentum": "_momentums"}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        (m,) = slots
        first, second = self.arithmetic.cast(group["beta_1"]), self.arithmetic.cast(group["beta_2"])
        signs = torch._foreach_mul(m, first)
        torch._foreach_add_(signs, grads, alpha=1 - first)
        torch._foreach_sign_(signs)
        torch._foreach_add_(params, signs, alpha=-rate)
        torch._foreach_mul_(m, second)
        torch._foreach_add_(m, grads, alpha=1 - second)
