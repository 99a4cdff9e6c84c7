"""The effect of each framework default on training: trainings in PyTorch with the defaults of either framework.

With none of PyTorch's defaults the port trains as Keras does, step by step. With all of them it trains like a port that copies
only the architecture. In this model the defaults differ as follows:

* initialisation: Keras draws kernels from Glorot's uniform distribution, recurrent kernels as orthogonal matrices, and
  embeddings uniformly within 0.05; biases are 0, and an LSTM's forget bias is 1. PyTorch draws all weights and biases of
  recurrent layers uniformly within 1 / sqrt(hidden size), those of Linear within 1 / sqrt(input size), and embeddings from a
  standard normal distribution.
* rule: the formula of the optimizer's class and its constants. For Adam these are where epsilon is added (before the bias
  correction in Keras, after it in PyTorch) and its default (1e-7 and 1e-8).
* bias: nn.LSTM trains two biases, whose sum moves twice as far. A GRU has two in either framework.
* learning_rate: the default of the optimizer's class. It is the same for Adam, and ten times larger in PyTorch for RMSprop.
* dropout: the same word means two things. `keras.layers.GRU(units, dropout=rate)` drops inputs; `nn.GRU(..., dropout=rate)`
  drops the outputs between two layers, so it does nothing in a single layer. With Keras's default, elements of the
  decoder's embedding are dropped.
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
"""The defaults that a training can switch to PyTorch's."""

_IN_TORCH = {"Nadam": "NAdam"}
"""The names in torch.optim of Keras's optimizers, where they differ."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training.

    Args:
        own: the defaults that were PyTorch's.
        losses: the loss on each step's batch, before the step.
        score: the score on held-out words after the last step.
    """

    own: tuple[str, ...]
    losses: tuple[float, ...]
    score: Score


def one_at_a_time() -> tuple[tuple[str, ...], ...]:
    """Return the defaults to switch in each training: none, one at a time, all except one at a time, all."""
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
    """Train in PyTorch with PyTorch's values of the named defaults, and score the result. Equal settings get equal batches.

    Raises:
        GatewiseError: if a name is not in DEFAULTS, or PyTorch lacks the optimizer.
    """
    names = tuple(own)
    side, batches = build_side(setting, names), Batches(entries, batch_size, setting.seed)
    losses = []
    for step in range(steps):
        losses.append(side.step(batches.batch(step)))
        progress(step + 1)
    return Outcome(names, tuple(losses), score(side, held_out(entries)))


def build_side(setting: Setting, own: Iterable[str]) -> Side:
    """Build a side in PyTorch with PyTorch's values of the named defaults, and Keras's of all others."""
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
            must="be empty when defaults are compared",
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
            but=f"is {setting.optimizer}, which torch.optim lacks",
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
            remedy="Name the defaults to switch to PyTorch's.",
        )
