"""The formula of each Keras loss over the last axis, in torch.

Keras averages over the last axis first and then over the other axes; the result is the mean over all elements.

Source: keras/src/losses/losses.py, and nn.py of the backends in keras/src/backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from importlib import import_module
from types import MappingProxyType

import torch
from torch.nn import functional

from frameworks.errors import InvalidValueError

Tensor = torch.Tensor
Each = tuple[Tensor, Tensor | None]
"""Each element's loss, (*batch,), and a mask of the elements that are not ignored, or None if none is ignored."""

_LOG_2 = float(torch.log(torch.tensor(2.0)))
"""The logarithm of 2 in float32, which Keras uses in every dtype."""


class Form(Enum):
    """What a crossentropy is computed from."""

    LOGITS = auto()
    PROBABILITIES = auto()
    """Probabilities that Keras clips away from 0 and 1."""
    ACTIVATED = auto()
    """Probabilities that stand for the logits behind them, and therefore are not clipped."""


@dataclass(frozen=True)
class Rule:
    """The rule of a loss.

    Attributes:
        formula: a function of prediction, target and Keras's settings; that of a crossentropy gets the form instead of
            from_logits, and whether probabilities are clipped before they are normalised.
        activation: the activation whose result a crossentropy takes for probabilities; None for other losses.
        clips_first: the Keras backends that clip probabilities before they normalise them.
    """

    formula: Callable[..., Each]
    activation: str | None = None
    clips_first: tuple[str, ...] = ()


def _mean_squared(prediction: Tensor, target: Tensor) -> Each:
    return ((prediction - target) ** 2).mean(-1), None


def _mean_absolute(prediction: Tensor, target: Tensor) -> Each:
    return (prediction - target).abs().mean(-1), None


def _huber(prediction: Tensor, target: Tensor, delta: float) -> Each:
    return functional.huber_loss(prediction, target, reduction="none", delta=delta).mean(-1), None


def _log_cosh(prediction: Tensor, target: Tensor) -> Each:
    distance = (prediction - target).abs()
    return (distance + functional.softplus(-2 * distance) - _LOG_2).mean(-1), None


def _binary(prediction: Tensor, target: Tensor, *, form: Form, clips_first: bool, label_smoothing: float) -> Each:
    del clips_first  # two classes need no normalising
    target = target * (1 - label_smoothing) + 0.5 * label_smoothing
    if form is Form.LOGITS:
        return functional.binary_cross_entropy_with_logits(prediction, target, reduction="none").mean(-1), None
    inside = _clipped(prediction) if form is Form.PROBABILITIES else prediction
    return -(target * _log(inside, target, form) + (1 - target) * _log(1 - inside, 1 - target, form)).mean(-1), None


def _categorical(prediction: Tensor, target: Tensor, *, form: Form, clips_first: bool, label_smoothing: float) -> Each:
    target = target * (1 - label_smoothing) + label_smoothing / target.shape[-1]
    if form is Form.LOGITS:
        return -(target * functional.log_softmax(prediction, -1)).sum(-1), None
    return -(target * _log(_normalised(prediction, form, clips_first=clips_first), target, form)).sum(-1), None


def _sparse(prediction: Tensor, target: Tensor, *, form: Form, clips_first: bool, ignore_class: int | None) -> Each:
    if target.ndim == prediction.ndim:
        target = target.squeeze(-1)
    counts = None if ignore_class is None else target != ignore_class
    if counts is not None:  # ignored elements neither add to the loss nor spoil a gradient
        target, prediction = torch.where(counts, target, 0), torch.where(counts.unsqueeze(-1), prediction, 1.0)
    places = target.long().unsqueeze(-1)
    if form is Form.LOGITS:
        chosen = functional.log_softmax(prediction, -1).gather(-1, places)
    else:
        of_class = _normalised(prediction, form, clips_first=clips_first).gather(-1, places)
        chosen = _log(of_class, torch.ones_like(of_class), form)
    each = -chosen.squeeze(-1)
    return (each if counts is None else torch.where(counts, each, 0.0)), counts


def _normalised(prediction: Tensor, form: Form, *, clips_first: bool) -> Tensor:
    """Return probabilities that add up to 1 over the last axis; away from 0 and 1 unless they stand for logits."""
    if form is Form.PROBABILITIES and clips_first:
        prediction = _clipped(prediction)
    prediction = prediction / prediction.sum(-1, keepdim=True)
    return _clipped(prediction) if form is Form.PROBABILITIES and not clips_first else prediction


def _clipped(probabilities: Tensor) -> Tensor:
    distance = import_module("keras").config.epsilon()
    return probabilities.clamp(distance, 1 - distance)


def _log(probabilities: Tensor, weights: Tensor, form: Form) -> Tensor:
    """Return the logarithm; require that probabilities in place of logits have not underflowed where they have a weight."""
    if form is Form.PROBABILITIES:
        return probabilities.log()
    least = torch.finfo(probabilities.dtype).tiny
    if ((probabilities < least) & (weights != 0)).any():
        raise InvalidValueError.because(
            "the prediction",
            must="have probabilities above 0 for the classes of the target",
            but=f"has {probabilities.min().item():.1e}, and Keras on TensorFlow computes this loss from the logits",
            remedy="Return logits, and use a loss with from_logits=True.",
        )
    return probabilities.clamp(min=least).log()


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "MeanSquaredError": Rule(_mean_squared),
        "MeanAbsoluteError": Rule(_mean_absolute),
        "Huber": Rule(_huber),
        "LogCosh": Rule(_log_cosh),
        "BinaryCrossentropy": Rule(_binary, "sigmoid"),
        "CategoricalCrossentropy": Rule(_categorical, "softmax"),
        "SparseCategoricalCrossentropy": Rule(_sparse, "softmax", clips_first=("tensorflow",)),
    }
)
"""The rules by name of the Keras class."""
