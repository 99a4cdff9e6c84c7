"""Keras's regularisers in torch.

Source: keras/src/regularizers/regularizers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import torch
from torch.nn import functional

from frameworks.errors import NoCounterpartError
from frameworks.keras.tensors import to_numpy

Tensor = torch.Tensor
Penalty = Callable[[Tensor], Tensor]


def _absolute(x: Tensor, factor: float) -> Tensor:
    return factor * x.abs().sum()


def _squared(x: Tensor, factor: float) -> Tensor:
    return factor * (x**2).sum()


def _orthogonal(x: Tensor, factor: float, mode: str) -> Tensor:
    rows = functional.normalize(x if mode == "rows" else x.T, dim=1)
    products = rows @ rows.T * (1 - torch.eye(len(rows), dtype=x.dtype, device=x.device))
    number = len(rows) * (len(rows) - 1) / 2
    return factor * 0.5 * products.abs().sum() / number


PENALTIES: Mapping[str, Callable[[Any, Callable[[Any], float], Tensor], Tensor]] = MappingProxyType(
    {
        "L1": lambda made, number, x: _absolute(x, number(made.l1)),
        "L2": lambda made, number, x: _squared(x, number(made.l2)),
        "L1L2": lambda made, number, x: _absolute(x, number(made.l1)) + _squared(x, number(made.l2)),
        "OrthogonalRegularizer": lambda made, number, x: _orthogonal(x, number(made.factor), made.mode),
    }
)
"""The penalty of each Keras class, a function of the regulariser, of a function that rounds its factors, and of an array."""


def penalty_like(regularizer: Any, subject: str) -> Penalty:
    """Return a function from an array, shaped as in Keras, to the penalty that a Keras regulariser adds for it.

    The columns of a matrix may be in any order: none of these penalties depends on it.

    Args:
        regularizer: the Keras regulariser.
        subject: the array that it belongs to, for the message.

    Raises:
        GatewiseError: for a custom regulariser, with its class.
    """
    ops = import_module("keras").ops
    kind = type(regularizer)
    if kind.__name__ not in PENALTIES or not kind.__module__.startswith("keras.src."):
        raise NoCounterpartError.because(
            f"the regulariser of {subject}",
            must=f"be one of Keras's {', '.join(PENALTIES)}",
            but=f"is {getattr(regularizer, '__name__', kind.__name__)} of {kind.__module__}",
            remedy="Leave it out on both sides; or train with compare.training.train_together, and add it in the `loss_of` "
            "of a KerasSide and a PyTorchSide.",
        )

    def penalty(x: Tensor) -> Tensor:
        dtype = str(x.dtype).removeprefix("torch.")
        return PENALTIES[kind.__name__](regularizer, lambda factor: float(to_numpy(ops.cast(factor, dtype))), x)

    return penalty
