"""Settings that all Keras optimizers share, and gradient clipping.

Source: keras/src/optimizers/base_optimizer.py, `_backend_apply_gradients`, `_clip_gradients`, `clip_by_global_norm`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Tensors = list[torch.Tensor]


@dataclass(frozen=True)
class Wrapping:
    """The settings that all Keras optimizers share besides learning rate and weight decay, under Keras's names.

    Attributes:
        clipnorm: the largest norm of each gradient.
        clipvalue: the largest absolute value of each element of a gradient.
        global_clipnorm: the largest norm of all gradients together.
        use_ema: whether a moving average of the parameters is kept.
        ema_momentum: the share of the average that is kept at each update.
        ema_overwrite_frequency: the number of updates after which the parameters are set to their averages, or None for never.
        loss_scale_factor: the factor by which the loss was multiplied; gradients are divided by it.
        gradient_accumulation_steps: the number of steps whose mean gradient makes one update; None means one.
    """

    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None

    @property
    def steps(self) -> int:
        """The number of steps that make one update."""
        return self.gradient_accumulation_steps or 1

    def clip(self, grads: Tensors) -> Tensors:
        """Return clipped gradients without changing the given ones."""
        if self.clipnorm:
            factors = [self.clipnorm / norm.clamp(min=self.clipnorm) for norm in torch._foreach_norm(grads)]
            return _multiplied(grads, factors)
        if self.global_clipnorm:
            norm = torch.linalg.vector_norm(torch.stack(list(torch._foreach_norm(grads))))
            factor = self.global_clipnorm * torch.minimum(1 / norm, torch.full_like(norm, 1 / self.global_clipnorm))
            # As in Keras, an infinite norm makes every gradient NaN rather than zero.
            return _multiplied(grads, [factor + (norm - norm)] * len(grads))
        if self.clipvalue:
            return list(torch._foreach_clamp_min(torch._foreach_clamp_max(grads, self.clipvalue), -self.clipvalue))
        return grads


def _multiplied(tensors: Tensors, factors: Tensors) -> Tensors:
    return [tensor * factor for tensor, factor in zip(tensors, factors, strict=True)]
