"""What every Keras optimizer does around its rule, as settings and as the arithmetic on gradients.

Source: keras/src/optimizers/base_optimizer.py, `_backend_apply_gradients`, `_clip_gradients`, `clip_by_global_norm`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Tensors = list[torch.Tensor]


@dataclass(frozen=True)
class Wrapping:
    """The settings that every Keras optimizer has, but for the learning rate and the weight decay; named as Keras names them.

    Attributes:
        clipnorm: the greatest norm of each gradient on its own.
        clipvalue: the greatest size of each element.
        global_clipnorm: the greatest norm of all gradients together.
        use_ema: whether a moving average of the parameters is kept.
        ema_momentum: how much of the average stays at each step.
        ema_overwrite_frequency: after how many updates the parameters become their averages; None for never.
        loss_scale_factor: what the loss was multiplied with, so that gradients are divided by it.
        gradient_accumulation_steps: of how many steps the mean gradient makes one update; None for one.
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
        """How many steps make one update."""
        return self.gradient_accumulation_steps or 1

    def clip(self, grads: Tensors) -> Tensors:
        """Give the gradients clipped, never changing those given."""
        if self.clipnorm:
            factors = [self.clipnorm / norm.clamp(min=self.clipnorm) for norm in torch._foreach_norm(grads)]
            return _multiplied(grads, factors)
        if self.global_clipnorm:
            norm = torch.linalg.vector_norm(torch.stack(list(torch._foreach_norm(grads))))
            factor = self.global_clipnorm * torch.minimum(1 / norm, torch.full_like(norm, 1 / self.global_clipnorm))
            # An infinite norm makes every gradient NaN, as Keras does, rather than zero.
            return _multiplied(grads, [factor + (norm - norm)] * len(grads))
        if self.clipvalue:
            return list(torch._foreach_clamp_min(torch._foreach_clamp_max(grads, self.clipvalue), -self.clipvalue))
        return grads


def _multiplied(tensors: Tensors, factors: Tensors) -> Tensors:
    return [tensor * factor for tensor, factor in zip(tensors, factors, strict=True)]
