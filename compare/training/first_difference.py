"""The step at which a model and its port first part, and what `compare_models` and `diagnose` say of the two there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from compare.models.comparing import compare_models
from compare.models.comparison import ModelComparison
from compare.training.first_batch import agree
from compare.training.objective import Objective
from compare.training.parameters import STORED, is_stored, kind_of, stored_views
from frameworks import copy_weights
from frameworks.errors import GatewiseError

Pairs = Sequence[tuple[Any, Any]]

_SAME = (
    "With the Keras model's weights in both, their predictions for the batch of that step agree: the forward pass is the same, "
    "and the difference is in the loss, the gradients or the update, or has grown from rounding."
)
_OTHER = "With the Keras model's weights in both, their predictions for the batch of that step differ too."
_IN_TRAINING = (
    "In inference, the two agree on this batch: the difference is in what they do in training, such as the statistics of a "
    "BatchNormalization."
)


class FirstDifference:
    """A watch over a training, which looks once at the first step whose losses differ.

    Attributes:
        notes: what was found.
        comparison: the two models side by side on the batch of that step; None if they agree on it.
    """

    def __init__(self, sides: Mapping[str, Any], objective: Objective, pairs: Pairs, allowed: float) -> None:
        """Begin to watch.

        Args:
            sides: "keras" and "pytorch".
            objective: their loss.
            pairs: the Keras layers with parameters and their torch modules.
            allowed: the allowed error as a share of max(1, |expected|).
        """
        self._sides, self._objective, self._pairs, self._allowed = sides, objective, pairs, allowed
        self._is_over = False
        self.notes: tuple[str, ...] = ()
        self.comparison: ModelComparison | None = None

    def look_before(self, batch: tuple[Any, ...]) -> None:
        """Compare the two models before the first step, if their predictions for the first batch differ."""
        if not agree(self._objective, self._allowed):
            self._is_over = True
            self._compare(batch)

    def look_after(self, step: int, batch: tuple[Any, ...], losses: Mapping[str, float]) -> None:
        """Compare the two models after a step, with the weights of the Keras model in both, if their losses differ."""
        gap = abs(losses["keras"] - losses["pytorch"])
        if self._is_over or gap <= self._allowed * max(1.0, abs(losses["keras"])):
            return
        self._is_over = True
        kept = {name: side.state() for name, side in self._sides.items()}
        begins = f"At step {step}, the losses first differ, by {gap:.1e}"
        try:
            self._equalise()
            with torch.random.fork_rng(devices=[]):
                for side in self._sides.values():
                    side.loss(batch)
            if agree(self._objective, self._allowed):
                self.notes = (f"{begins}. {_SAME}",)
            else:
                self.notes = (f"{begins}. {_OTHER}",)
                self._compare(batch)
        except GatewiseError:  # the training goes on without an explanation
            self.notes = (f"{begins}.",)
        finally:
            for name, side in self._sides.items():
                side.restore(kept[name])

    def _compare(self, batch: tuple[Any, ...]) -> None:
        kept = {name: side.state() for name, side in self._sides.items()}
        try:
            comparison = compare_models(self._objective.model, self._objective.module, batch[0])
        except GatewiseError:  # not everything that can be trained can be compared layer by layer
            return
        finally:
            for name, side in self._sides.items():
                side.restore(kept[name])
        if not comparison.passed:
            self.comparison = comparison
            return
        self.notes += (_IN_TRAINING,)

    def _equalise(self) -> None:
        """Copy the weights of the Keras model into the module."""
        for layer, module in self._pairs:
            if not is_stored(layer):
                copy_weights(layer, module)
                continue
            values = dict(stored_views(layer))
            for name, (attribute, reverses) in STORED[kind_of(module)].items():
                if name in values:
                    array = np.array(values[name].T if reverses else values[name])
                    getattr(module, attribute).data.copy_(torch.from_numpy(array))
