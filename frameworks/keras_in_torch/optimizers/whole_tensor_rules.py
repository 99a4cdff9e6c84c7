"""Update rules of Keras's optimizers that use a parameter as a whole, or have no close relative in torch; see `rules`.

Source: `update_step` of keras/src/optimizers/{nadam,adafactor,ftrl,lamb,schedule_free_adamw}.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch

from frameworks.keras_in_torch.optimizers.keras_optimizer import Array, Group, KerasOptimizer, Pairing
from frameworks.keras_in_torch.optimizers.rules import BETAS, MOMENTS, Moments
from frameworks.keras_in_torch.optimizers.wrapping import Tensors


class Nadam(Moments):
    """Adam with Nesterov momentum and a growing beta_1: u(t) = beta_1 (1 - 0.96^t / 2).

    p -= rate (u(t+1) m / (1 - u(1)...u(t+1)) + (1 - u(t)) g / (1 - u(1)...u(t))) / (sqrt(v / (1 - beta_2^t)) + epsilon)
    """

    SETTINGS: ClassVar = {"lr": 0.001, **BETAS, "epsilon": 1e-7}
    SLOTS: ClassVar = MOMENTS

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        m, v = slots
        dtype = params[0].dtype
        number, cast = self.arithmetic.number, self.arithmetic.cast
        step, beta_1 = self.local_step(group), number(cast(group["beta_1"]), dtype)
        now, following = (beta_1 * (1 - 0.5 * number(cast(0.96), dtype) ** number(at, dtype)) for at in (step, step + 1))
        # Keras's running product uses numbers that have not been cast.
        grown = group["beta_1"] * (1 - 0.5 * number(0.96, dtype) ** number(step, dtype))
        product = number(group.setdefault("u_product", 1.0), dtype) * grown
        group["u_product"] = product.item()
        (second,) = self.corrections(group, dtype, "beta_2")
        torch._foreach_lerp_(m, grads, 1 - cast(group["beta_1"]))
        torch._foreach_mul_(v, cast(group["beta_2"]))
        torch._foreach_addcmul_(v, grads, grads, 1 - cast(group["beta_2"]))
        # The correction of v is moved out of the root, which saves a pass over the parameters.
        corrected = -rate * second.sqrt()
        roots = torch._foreach_sqrt(v)
        torch._foreach_add_(roots, (group["epsilon"] * second.sqrt()).item())
        torch._foreach_addcdiv_(params, m, roots, (corrected * following / (1 - product * following)).item())
        torch._foreach_addcdiv_(params, grads, roots, (corrected * (1 - now) / (1 - product)).item())


class Adafactor(KerasOptimizer):
    """Adam's second moment as an outer product of means over the last two axes, and a step relative to the parameter's size."""

    SETTINGS: ClassVar = {
        "lr": 0.001,
        "beta_2_decay": -0.8,
        "epsilon_1": 1e-30,
        "epsilon_2": 1e-3,
        "clip_threshold": 1.0,
        "relative_step": True,  # no effect: the step is at most 1 / sqrt(t) either way
    }
    SLOTS: ClassVar = {"r": "_r", "c": "_c", "velocity": "_v"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return zeros for the means over the last and the second-last axis, or for a vector's whole second moment."""
        del group
        if param.ndim < 2:
            return {"velocity": torch.zeros_like(param)}
        # Keras also stores the velocity of a matrix, but never reads it.
        return {"r": torch.zeros_like(param[..., 0]), "c": torch.zeros_like(param[..., 0, :])}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        step = self.arithmetic.number(self.local_step(group), params[0].dtype)
        beta, rate = (1 - step ** group["beta_2_decay"]).item(), min(rate, (1 / step.sqrt()).item())
        for factored in (True, False):
            at = [index for index, param in enumerate(params) if (param.ndim > 1) is factored]
            if at:
                some, theirs, *moments = ([each[index] for index in at] for each in (params, grads, *slots))
                roots = (_factored_roots if factored else _whole_roots)(theirs, moments, beta, group["epsilon_1"])
                self._move(group, some, list(torch._foreach_div(theirs, roots)), rate)

    def _move(self, group: Group, params: Tensors, changes: Tensors, rate: float) -> None:
        """Clip the changes, scale them by the parameters' root mean square, and apply them."""
        lengths, bounds = _root_mean_squares(params), _root_mean_squares(changes)
        torch._foreach_clamp_min_(lengths, self.arithmetic.cast(group["epsilon_2"]))
        torch._foreach_div_(bounds, group["clip_threshold"])
        torch._foreach_clamp_min_(bounds, 1.0)
        torch._foreach_div_(lengths, bounds)
        torch._foreach_mul_(lengths, rate)
        torch._foreach_mul_(changes, lengths)
        torch._foreach_sub_(params, changes)

    def carried(self, slots: Mapping[str, Array], pairing: Pairing) -> dict[str, Array]:
        """Broadcast the means to the variable's shape, convert it to the parameter's, and take each mean along its new axis."""
        velocity = slots["velocity"]
        if velocity.ndim < 2:
            return {"velocity": pairing.carry(velocity)}
        r, c = np.expand_dims(slots["r"], -1), np.expand_dims(slots["c"], -2)
        r, c = (pairing.carry(np.broadcast_to(mean, velocity.shape)) for mean in (r, c))
        r, c = (c, r) if pairing.transposes else (r, c)
        return {"r": r[..., 0], "c": c[..., 0, :]}


class Ftrl(KerasOptimizer):
    """Follow the regularised leader: each parameter is recomputed from the sums of its gradients and of their squares."""

    SETTINGS: ClassVar = {
        "lr": 0.001,
        "learning_rate_power": -0.5,
        "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0,
        "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0,
        "beta": 0.0,
    }
    SLOTS: ClassVar = {"accumulator": "_accumulators", "linear": "_linears"}

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the accumulator with its initial value, and zeros."""
        first = self.arithmetic.cast(group["initial_accumulator_value"])
        return {"accumulator": torch.full_like(param, first), "linear": torch.zeros_like(param)}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        power, l1 = -group["learning_rate_power"], group["l1_regularization_strength"]
        l2 = group["l2_regularization_strength"] + group["beta"] / (2 * rate)
        shrinkage = 2 * group["l2_shrinkage_regularization_strength"]
        for param, grad, accumulator, linear in zip(params, grads, *slots, strict=True):
            grown = accumulator + grad.square()
            linear.add_(grad + shrinkage * param - (grown**power - accumulator**power) / rate * param)
            param.copy_((linear.clamp(-l1, l1) - linear) / (grown**power / rate + 2 * l2))
            accumulator.copy_(grown)


class Lamb(Moments):
    """Adam with steps scaled to the parameter's norm: p -= rate |p| / |d| d, where d = m' / (sqrt(v') + epsilon)."""

    SETTINGS: ClassVar = {"lr": 0.001, **BETAS, "epsilon": 1e-7}
    SLOTS: ClassVar = MOMENTS

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        m, v = slots
        self.moments(group, grads, m, v)
        first, second = (one.item() for one in self.corrections(group, params[0].dtype, "beta_1", "beta_2"))
        for param, mean, square in zip(params, m, v, strict=True):
            change = (mean / first) / ((square / second).sqrt() + group["epsilon"])
            norms = param.norm(), change.norm()
            ratio = torch.where((norms[0] > 0) & (norms[1] > 0), norms[0] / norms[1], 1.0)
            param.sub_(ratio * rate * change)


class ScheduleFreeAdamW(Moments):
    """Adam's steps applied to z; the parameter is between z and the running mean x of z: p = (1 - beta_1) z + beta_1 x."""

    SETTINGS: ClassVar = {"lr": 0.0025, **BETAS, "epsilon": 1e-8, "warmup_steps": 0}
    SLOTS: ClassVar = MOMENTS

    def initial(self, group: Group, param: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return zeros, and z with the parameter's value in the slot that Keras calls momentum."""
        return {**super().initial(group, param), "momentum": param.detach().clone()}

    def update(self, group: Group, params: Tensors, grads: Tensors, slots: list[Tensors], rate: float) -> None:
        """Apply the rule, see the class."""
        z, v = slots
        step, cast = self.local_step(group), self.arithmetic.cast
        beta_1, beta_2 = cast(group["beta_1"]), cast(group["beta_2"])
        if group["warmup_steps"]:
            rate *= min(step / group["warmup_steps"], 1.0)
        (second,) = self.corrections(group, params[0].dtype, "beta_2")
        torch._foreach_mul_(v, beta_2)
        torch._foreach_addcmul_(v, grads, grads, 1 - beta_2)
        roots = torch._foreach_div(v, second.item())
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, cast(group["epsilon"]))
        # On backends that update variables in place, Keras recovers x with the new z, not the old one.
        late = self.arithmetic.backend in ("tensorflow", "torch")
        old = z if late else [one.clone() for one in z]
        torch._foreach_addcdiv_(z, grads, roots, -rate)
        mean = torch._foreach_sub(params, old, alpha=1 - beta_1)
        torch._foreach_div_(mean, beta_1)
        torch._foreach_lerp_(mean, z, 1 / step)
        for param, one, average in zip(params, z, mean, strict=True):
            torch.lerp(one, average, beta_1, out=param)


def _factored_roots(grads: Tensors, moments: list[Tensors], beta: float, epsilon: float) -> Tensors:
    """Update the means over the last and the second-last axis, and return the root of their outer product."""
    rows, columns, _ = moments
    squares = torch._foreach_mul(grads, grads)
    for kept, axis in ((rows, -1), (columns, -2)):
        means = [square.mean(dim=axis) for square in squares]
        torch._foreach_add_(means, epsilon)
        torch._foreach_mul_(kept, beta)
        torch._foreach_add_(kept, means, alpha=1 - beta)
    shares = [row / row.mean(dim=-1, keepdim=True) for row in rows]
    products = [share.unsqueeze(-1) * column.unsqueeze(-2) for share, column in zip(shares, columns, strict=True)]
    # The root comes last, as in Keras: a product of two tiny means is zero in float32, which makes the change NaN.
    torch._foreach_sqrt_(products)
    return products


def _whole_roots(grads: Tensors, moments: list[Tensors], beta: float, epsilon: float) -> Tensors:
    """Update the second moment of a vector, and return its root."""
    *_, velocities = moments
    torch._foreach_mul_(velocities, beta)
    torch._foreach_addcmul_(velocities, grads, grads, 1 - beta)
    torch._foreach_add_(velocities, (1 - beta) * epsilon)
    return list(torch._foreach_sqrt(velocities))


def _root_mean_squares(tensors: Tensors) -> Tensors:
    norms = list(torch._foreach_norm(tensors))
    torch._foreach_div_(norms, [tensor.numel() ** 0.5 for tensor in tensors])
    return norms
