"""Keras's losses in torch: the formula of each loss over the last axis, and the reductions.

Keras averages over the last axis first and then over the other axes; the result is the mean over all elements.

Source: keras/src/losses/losses.py and loss.py, keras/src/backend/tensorflow/nn.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from frameworks.errors import InvalidTypeError, NoCounterpartError

Tensor = torch.Tensor
Rule = Callable[..., tuple[Tensor, Tensor | None]]
"""A function of prediction, target and Keras's settings; it returns each element's loss, (*batch,), and a mask of the elements
that are not ignored, or None if none is ignored."""

_REDUCTIONS: Mapping[str | None, str] = MappingProxyType(
    {"sum_over_batch_size": "mean", "mean": "mean", "sum": "sum", "none": "none", None: "none"}
)


_LOG_2 = float(torch.log(torch.tensor(2.0)))
"""The logarithm of 2 in float32, which Keras uses in every dtype."""


class KerasLoss(nn.Module):
    """A loss that follows Keras's rule, see `frameworks.loss_like`."""

    def __init__(self, name: str, settings: Mapping[str, Any], reduction: str) -> None:
        """Make the loss.

        Args:
            name: the name of the Keras class.
            settings: its arguments except reduction, name and dtype.
            reduction: "mean", "sum" or "none".
        """
        super().__init__()
        self.name, self.settings, self.reduction = name, dict(settings), reduction

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss: a scalar, or without a reduction the loss of each element, (*batch,)."""
        if self.name != "SparseCategoricalCrossentropy":
            prediction, target = _of_one_rank(prediction, target.to(prediction.dtype))  # Keras casts it too
        each, counts = RULES[self.name](prediction, target, **self.settings)
        if mask is not None:
            counts = mask if counts is None else counts & mask
        if counts is not None:
            each = each * counts
        if self.reduction == "none":
            return each
        total = each.sum()
        if self.reduction == "sum":
            return total
        number = each.numel() if counts is None else int(counts.sum())
        return total / number if number else total

    def extra_repr(self) -> str:
        """Show the rule and its settings."""
        return ", ".join([self.name, *(f"{name}={value!r}" for name, value in self.settings.items()), self.reduction])


def _of_one_rank(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Drop a last axis of length 1 that the other tensor lacks, as Keras does: (batch, 1) and (batch,) would broadcast.

    If the other tensor is a vector, it gets that axis instead.

    Source: keras/src/losses/loss.py, `squeeze_or_expand_to_same_rank`.
    """
    if one.ndim < other.ndim:
        return _of_one_rank(other, one)[::-1]
    if one.ndim != other.ndim + 1 or one.shape[-1] != 1:
        return one, other
    return (one, other.unsqueeze(-1)) if other.ndim == 1 else (one.squeeze(-1), other)


def _mean_squared(prediction: Tensor, target: Tensor) -> tuple[Tensor, None]:
    return ((prediction - target) ** 2).mean(-1), None


def _mean_absolute(prediction: Tensor, target: Tensor) -> tuple[Tensor, None]:
    return (prediction - target).abs().mean(-1), None


def _huber(prediction: Tensor, target: Tensor, delta: float) -> tuple[Tensor, None]:
    return functional.huber_loss(prediction, target, reduction="none", delta=delta).mean(-1), None


def _log_cosh(prediction: Tensor, target: Tensor) -> tuple[Tensor, None]:
    distance = (prediction - target).abs()
    return (distance + functional.softplus(-2 * distance) - _LOG_2).mean(-1), None


def _binary(prediction: Tensor, target: Tensor, *, from_logits: bool, label_smoothing: float, axis: int) -> tuple[Tensor, None]:
    target = target * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return functional.binary_cross_entropy_with_logits(prediction, target, reduction="none").mean(-1), None
    inside = _clipped(prediction)
    return -(target * inside.log() + (1 - target) * (1 - inside).log()).mean(-1), None


def _categorical(
    prediction: Tensor, target: Tensor, *, from_logits: bool, label_smoothing: float, axis: int
) -> tuple[Tensor, None]:
    target = target * (1 - label_smoothing) + label_smoothing / target.shape[-1]
    return -(target * _log_probabilities(prediction, from_logits=from_logits)).sum(-1), None


def _sparse(
    prediction: Tensor, target: Tensor, *, from_logits: bool, ignore_class: int | None, axis: int = -1
) -> tuple[Tensor, Tensor | None]:
    if target.ndim == prediction.ndim:
        target = target.squeeze(-1)
    counts = None if ignore_class is None else target != ignore_class
    classes = target if counts is None else torch.where(counts, target, 0)
    chosen = _log_probabilities(prediction, from_logits=from_logits).gather(-1, classes.long().unsqueeze(-1))
    return -chosen.squeeze(-1), counts


def _log_probabilities(prediction: Tensor, *, from_logits: bool) -> Tensor:
    if from_logits:
        return functional.log_softmax(prediction, -1)
    return _clipped(prediction / prediction.sum(-1, keepdim=True)).log()


def _clipped(probabilities: Tensor) -> Tensor:
    """Clip probabilities away from 0 and 1. Near 0 and 1 Keras's backends differ: some clip first, others normalise first."""
    distance = import_module("keras").config.epsilon()
    return probabilities.clamp(distance, 1 - distance)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "MeanSquaredError": _mean_squared,
        "MeanAbsoluteError": _mean_absolute,
        "Huber": _huber,
        "LogCosh": _log_cosh,
        "BinaryCrossentropy": _binary,
        "CategoricalCrossentropy": _categorical,
        "SparseCategoricalCrossentropy": _sparse,
    }
)
"""The rules by name of the Keras class."""


def loss_like(keras_loss: Any) -> KerasLoss:
    """Return the torch loss that computes the same as a Keras loss, see `frameworks.loss_like`."""
    keras = import_module("keras")
    loss = named_loss(keras_loss) if isinstance(keras_loss, str) else keras_loss
    kind = type(loss)
    if not isinstance(loss, keras.losses.Loss):
        raise InvalidTypeError.because(
            "the loss",
            must="be a loss object of Keras or its name",
            but=f"is {loss!r}",
            remedy="Pass the object, such as keras.losses.MeanSquaredError().",
        )
    if kind.__name__ not in RULES or not kind.__module__.startswith("keras.src."):
        raise _unknown(f"a {kind.__name__} of {kind.__module__}")
    settings = loss._fn_kwargs  # get_config leaves some out, such as Huber's delta
    _require_last_axis(kind.__name__, settings)
    if loss.reduction not in _REDUCTIONS:
        raise NoCounterpartError.because(
            "the loss's reduction",
            must=f"be one of {', '.join(name for name in _REDUCTIONS if name)}",
            but=f"is {loss.reduction!r}",
            remedy="Sample weights are not carried over: use 'sum_over_batch_size'.",
        )
    return KerasLoss(kind.__name__, settings, _REDUCTIONS[loss.reduction])


def named_loss(name: str, dtype: str | None = None) -> Any:
    """Return the Keras loss of a name, with Keras's default settings.

    Args:
        name: a name such as "mse".
        dtype: the dtype to compute in; Keras's floatx when None.

    Raises:
        GatewiseError: for a name without a loss in `RULES`.
    """
    keras = import_module("keras")
    try:
        function = keras.losses.get(name)
    except ValueError:
        raise _unknown(f"{name!r}") from None
    kind = "".join(part.capitalize() for part in function.__name__.split("_"))  # mean_squared_error: MeanSquaredError
    if kind not in RULES:
        raise _unknown(f"{name!r}")
    return getattr(keras.losses, kind)(dtype=dtype)


def _unknown(what: str) -> NoCounterpartError:
    return NoCounterpartError.because(
        "the loss",
        must=f"be one of Keras's {', '.join(RULES)}",
        but=f"is {what}",
        remedy="Write the torch loss yourself and compare it with Keras's on the same arrays before you train with it.",
    )


def _require_last_axis(name: str, settings: Mapping[str, Any]) -> None:
    if settings.get("axis", -1) != -1:
        raise NoCounterpartError.because(
            f"the axis of keras.losses.{name}",
            must="be -1, the last",
            but=f"is {settings['axis']}",
            remedy="Move the classes to the last axis.",
        )
