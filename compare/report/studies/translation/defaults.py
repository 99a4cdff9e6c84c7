"""Which default of a framework makes how much of the difference: a training in PyTorch, with each as Keras's or as its own.

With none of them its own, PyTorch trains as Keras does, step by step; with all of them, as a port does that keeps the model and
leaves the rest to the framework. What the two take for granted in this model:

* initialisation: Keras draws kernels from Glorot's uniform distribution, recurrent kernels orthogonal, embeddings uniformly
  within 0.05, biases 0, an LSTM's forget bias 1. PyTorch draws what a recurrent layer or Linear has uniformly within one over
  the root of its size, biases too, and embeddings from a standard normal distribution.
* rule: the formula of the optimizer's class and its constants, for Adam where epsilon stands (outside the bias correction in
  Keras) and how large it is, 1e-7 and 1e-8.
* bias: nn.LSTM trains two, whose sum moves twice as far. A GRU has two in either framework.
* learning_rate: of the optimizer's class when none is given: the same for Adam, ten times larger in PyTorch for RMSprop.
* dropout: the same word in a layer of each. `keras.layers.GRU(units, dropout=rate)` drops inputs, `nn.GRU(..., dropout=rate)`
  what goes from one layer to the next, so nothing in one layer. Taken as Keras's, the decoder's embedding is dropped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from compare.report.studies.translation.accuracy import Score, score
from compare.report.studies.translation.batches import Batches, held_out
from compare.report.studies.translation.copying import copy_model
from compare.report.studies.translation.dictionary import Entry
from compare.report.studies.translation.setting import Setting
from compare.report.studies.translation.training import Side
from frameworks import freeze_second_bias, optimizer_like
from frameworks.errors import InvalidValueError

DEFAULTS = ("initialisation", "rule", "bias", "learning_rate", "dropout")
"""What may be PyTorch's own."""

_IN_TORCH = {"Nadam": "NAdam"}
"""Classes with another name there."""


@dataclass(frozen=True)
class Outcome:
    """How a training went.

    Args:
        own: which defaults were PyTorch's.
        losses: before each step, on its batch.
        score: after the last, on the words that are held out.
    """

    own: tuple[str, ...]
    losses: tuple[float, ...]
    score: Score


def one_at_a_time() -> tuple[tuple[str, ...], ...]:
    """Return the trainings that tell the shares: none its own, each alone, all but each, all."""
    alone = tuple((name,) for name in DEFAULTS)
    without = tuple(tuple(other for other in DEFAULTS if other != name) for name in DEFAULTS)
    return ((), *alone, *without, DEFAULTS)


def run(
    setting: Setting,
    own: Iterable[str],
    entries: tuple[Entry, ...],
    batch_size: int = 64,
    steps: int = 1000,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Train in PyTorch with the named defaults its own, the same batches for the same setting, and score the result.

    Raises:
        GatewiseError: for a name that is none of DEFAULTS, and for an optimizer that PyTorch has not.
    """
    names = tuple(own)
    side, batches = build_side(setting, names), Batches(entries, batch_size, setting.seed)
    losses = []
    for step in range(steps):
        losses.append(side.step(batches.batch(step)))
        progress(step + 1)
    return Outcome(names, tuple(losses), score(side, held_out(entries)))


def build_side(setting: Setting, own: Iterable[str]) -> Side:
    """Build a side in PyTorch, Keras's in everything that is not named."""
    from compare.report.studies.translation.keras import training as in_keras
    from compare.report.studies.translation.pytorch import training as in_pytorch

    names = set(own)
    _require_known(names)
    model = in_pytorch.build_model(replace(setting, dropout=0.0) if "dropout" in names else setting)
    if "initialisation" not in names:
        copy_model(in_keras.build_model(setting), model)
    if "bias" not in names:
        freeze_second_bias(model)
    optimizer = _optimizer(setting, in_pytorch.trained(model), names)
    return in_pytorch.PyTorchSide(model, optimizer, setting.seed)


def _optimizer(setting: Setting, parameters: list[Any], own: set[str]) -> Any:
    import keras
    import torch

    if setting.optimizer_config:
        raise InvalidValueError.because(
            "optimizer_config",
            must="be empty, for defaults are compared",
            but=f"is {setting.optimizer_config}",
            remedy="Compare other settings with build_sides.",
        )
    theirs = getattr(keras.optimizers, setting.optimizer)
    name = _IN_TORCH.get(setting.optimizer, setting.optimizer)
    ours = getattr(torch.optim, name, None)
    if ours is None:
        raise InvalidValueError.because(
            "the optimizer",
            must="be one that both frameworks have",
            but=f"is {setting.optimizer}, which torch.optim has not",
            remedy="Choose Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam or Adafactor.",
        )
    rate = _default(ours, "lr") if "learning_rate" in own else _default(theirs, "learning_rate")
    return ours(parameters, lr=rate) if "rule" in own else optimizer_like(theirs(learning_rate=rate), parameters)


def _default(kind: Any, argument: str) -> Any:
    return inspect.signature(kind).parameters[argument].default


def _require_known(names: set[str]) -> None:
    unknown = names.difference(DEFAULTS)
    if unknown:
        raise InvalidValueError.because(
            "a default",
            must=f"be one of {', '.join(DEFAULTS)}",
            but=f"is {min(unknown)!r}",
            remedy="Name those that are to be PyTorch's own.",
        )
