"""What the first batch shows before the first step: mistakes by name, and what a comparison assumes or leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from compare.groundwork.tolerance import TOLERANCES, choose_tolerance
from compare.parity.difference import measure
from compare.training.objective import Objective
from compare.training.parameters import STORED, is_stored, kind_of
from compare.training.penalties import require_no_further_losses
from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.keras_in_torch.losses import KerasLoss
from frameworks.keras_in_torch.losses.rules import RULES

Array = npt.NDArray[Any]

_ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda x: torch.softmax(x, -1),
    "sigmoid": torch.sigmoid,
}


def look(
    sides: Mapping[str, Any], objective: Objective, batch: tuple[Any, ...], tolerance: float | None, *, without_dropout: bool
) -> tuple[float, tuple[str, ...]]:
    """Compute the losses of the first batch without training, and compare them.

    Args:
        sides: the sides by name, "keras" first.
        objective: their loss.
        batch: the first batch.
        tolerance: see `compare_training`.
        without_dropout: whether all rates are 0.

    Returns:
        The allowed error as a share of max(1, |expected|), and notes on what differs.

    Raises:
        GatewiseError: for losses that are not the same twice, losses that no side can follow, and logits against probabilities.
    """
    allowed = None if tolerance is None else choose_tolerance((), tolerance)
    losses = {"keras": _determined_loss("keras", sides["keras"], batch, without_dropout=without_dropout)}
    require_no_further_losses(objective.model)
    if allowed is None:
        # Elsewhere Keras multiplies matrices in float32.
        dtype = str(objective.predictions["keras"].dtype) if keras.config.backend() == "tensorflow" else "float32"
        allowed = TOLERANCES.get(dtype, TOLERANCES["float32"])
    before = sides["pytorch"].state()
    with torch.random.fork_rng(devices=[]):
        objective.predict_in_torch(batch[0])
    sides["pytorch"].restore(before)
    if objective.predictions["keras"].shape == objective.predictions["pytorch"].shape:
        _require_same_form(*_counted(objective), allowed)
    losses["pytorch"] = _determined_loss("pytorch", sides["pytorch"], batch, without_dropout=without_dropout)
    return allowed, tuple(_differences(objective, losses, allowed))


def agree(objective: Objective, allowed: float) -> bool:
    """Return whether the latest predictions of both sides are the same at the elements that the mask keeps."""
    one, other = objective.predictions["keras"], objective.predictions["pytorch"]
    return one.shape == other.shape and measure(*_counted(objective)).needed <= allowed


def assumptions(objective: Objective, pairs: Sequence[tuple[Any, Any]]) -> tuple[str, ...]:
    """Return what a training assumed and what it did not compare."""
    return tuple(_assumptions(objective, pairs))


def _determined_loss(name: str, side: Any, batch: tuple[Any, ...], *, without_dropout: bool) -> float:
    """Return the loss of a batch; require a model that draws no random numbers, so that the loss is the same twice."""
    before = side.state()
    losses: list[float] = []
    with torch.random.fork_rng(devices=[]) if name == "pytorch" else nullcontext():
        while len(losses) < 2 or (len(losses) < 3 and losses[0] != losses[1]):  # the first call of a Sequential may build it
            losses.append(side.loss(batch))
            # Moving averages and the states of a stateful layer go back, Keras's two numbers of a seed do not.
            seeds = {key: array for key, array in side.state().items() if array.dtype.kind in "iu" and array.shape == (2,)}
            side.restore({**before, **seeds})
    side.restore(before)
    if losses[-2] != losses[-1] and not any(np.isnan(losses)):
        remedy = "Remove the layers that draw them" if without_dropout else "Pass without_dropout=True to train without dropout"
        raise NoCounterpartError.because(
            f"the training of {name}",
            must="depend only on parameters and batches",
            but=f"returns a loss of {losses[-2]} and then {losses[-1]} on the same batch",
            remedy=f"{remedy}: the frameworks draw different random numbers.",
        )
    return losses[-1]


def _differences(objective: Objective, losses: Mapping[str, float], allowed: float) -> Iterator[str]:
    one, other = objective.predictions["keras"], objective.predictions["pytorch"]
    if one.shape != other.shape:
        yield f"The module's prediction has the shape {other.shape}, the Keras model's {one.shape}: they were not compared."
    elif not agree(objective, allowed):
        yield (
            "Before the first step, the predictions for the first batch differ by up to "
            f"{measure(*_counted(objective)).max_abs:.1e}: the two do not start with the same weights, or the module computes "
            "something else."
        )
    gap = abs(losses["keras"] - losses["pytorch"])
    if agree(objective, allowed) and gap > allowed * max(1.0, abs(losses["keras"])):
        yield (
            f"Before the first step, the predictions for the first batch agree, but the losses are {losses['keras']:.6g} "
            f"(Keras) and {losses['pytorch']:.6g} (PyTorch): look at the mask, the sample weights, the reduction of "
            "torch's loss, and penalised outputs at masked steps."
        )
    yield from _not_probabilities(objective)


def _counted(objective: Objective) -> tuple[Array, Array]:
    """Return both predictions of the elements that the mask keeps, (element, ...)."""
    one, other = objective.predictions["keras"], objective.predictions["pytorch"]
    mask = objective.mask()
    return (one, other) if mask is None or mask.shape != one.shape[: mask.ndim] else (one[mask], other[mask])


def _require_same_form(one: Array, other: Array, allowed: float) -> None:
    """Require a module not to return the logits of the model's probabilities, or the other way round."""
    for name, activation in _ACTIVATIONS.items():
        for subject, logits, probabilities in (("the module", other, one), ("the Keras model", one, other)):
            activated = activation(torch.as_tensor(logits)).numpy() if logits.ndim else logits
            if measure(probabilities, activated).needed <= allowed < measure(probabilities, logits).needed:
                raise InvalidValueError.because(
                    subject,
                    must=f"return a {name} of its logits, as the other side does",
                    but="returns the logits themselves",
                    remedy=f"End it with a {name}; or leave it out on both sides, and use a loss with from_logits=True.",
                )


def _not_probabilities(objective: Objective) -> Iterator[str]:
    loss = objective.torch_loss
    if not isinstance(loss, KerasLoss) or loss.settings.get("from_logits", True) or objective.source is not None:
        return
    prediction = objective.predictions["keras"]
    outside = bool(((prediction < 0) | (prediction > 1)).any())
    if outside or (RULES[loss.name].activation == "softmax" and np.abs(prediction.sum(-1) - 1).max() > 1e-3):
        yield (
            f"keras.losses.{loss.name} takes probabilities (from_logits=False), but the Keras model returns others, "
            f"from {prediction.min():.3g} to {prediction.max():.3g}. Both sides clip them as Keras does. A model that returns "
            "logits needs from_logits=True."
        )


def _assumptions(objective: Objective, pairs: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    if objective.mask() is not None:
        yield "The loss counts the steps that the Keras model's mask keeps. Torch's loss gets this mask from the Keras model."
    if objective.penalties.names:
        yield f"Torch's loss includes the penalties of {', '.join(objective.penalties.names)}, as a training loop must."
    if objective.lost_logits:
        yield (
            "Keras computes the loss from the logits behind its prediction. Those of the module are not known, so its loss is "
            "computed from its probabilities, as exactly as they are rounded."
        )
    for layer, module in pairs:
        trained = [name for name, one in module.named_parameters() if one.requires_grad]
        if isinstance(module, (nn.RNN, nn.LSTM)) and {"bias_ih_l0", "bias_hh_l0"} <= set(trained):
            yield (
                f"The module of {layer.name} trains two biases where Keras trains one, so that their sum learns about twice as "
                "fast: call freeze_second_bias(module) first."
            )
    layers = [layer for layer, _ in pairs]
    if keras.config.backend() == "tensorflow" and any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        yield "Keras got the summed gradient of each row of an Embedding; its `fit` on TensorFlow does not sum them."
    for layer in filter(is_stored, layers):
        left = [variable.name for variable in layer.non_trainable_variables if variable.name not in STORED[kind_of(layer)]]
        if left:
            yield f"{' and '.join(left)} of {layer.name} were not compared."
