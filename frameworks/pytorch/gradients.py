"""Differentiation with torch's autograd that does not change any parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

Tensors = tuple[torch.Tensor, ...]


def pull_back(
    run: Callable[..., Sequence[torch.Tensor]],
    tensors: Sequence[torch.Tensor],
    parameters: Sequence[torch.Tensor],
    cotangents: Sequence[torch.Tensor],
) -> Tensors:
    """Return the gradients of sum(result * cotangent) over the results of `run(*tensors)`.

    No `.grad` is written, and frozen parameters are differentiated too.

    Args:
        run: computes the results from its arguments and the parameters.
        tensors: the arguments of `run`.
        parameters: all other leaves of the graph that `run` uses.
        cotangents: one tensor per result, shaped like it.

    Returns:
        The gradients with respect to each tensor, then to each parameter; zeros if no result depends on it.
    """
    with torch.inference_mode(False), torch.enable_grad(), _trainable(parameters):  # noqa: FBT003  torch's
        leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
        # A result that a hook has detached depends on nothing.
        pairs = [pair for pair in zip(run(*leaves), cotangents, strict=True) if pair[0].requires_grad]
        sources = [*leaves, *parameters]
        if not pairs:
            return tuple(torch.zeros_like(source) for source in sources)
        results, weights = zip(*pairs, strict=True)
        return torch.autograd.grad(results, sources, weights, allow_unused=True, materialize_grads=True)


@contextmanager
def _trainable(parameters: Sequence[torch.Tensor]) -> Iterator[None]:
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_()
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)  # noqa: FBT003  torch's
