"""A Keras loss as a torch module: its formula, what it is computed from, and its reduction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from frameworks.errors import NoCounterpartError
from frameworks.keras_in_torch.losses.reductions import of_one_rank, reduced
from frameworks.keras_in_torch.losses.rules import RULES, Form
from frameworks.keras_in_torch.losses.sources import Source, source_of

Tensor = torch.Tensor


class KerasLoss(nn.Module):
    """A loss that follows Keras's rule, see `frameworks.loss_like`."""

    def __init__(self, name: str, settings: Mapping[str, Any], reduction: str | None, backend: str) -> None:
        """Make the loss.

        Args:
            name: the name of the Keras class.
            settings: its arguments except reduction, name, dtype and axis.
            reduction: Keras's name of the reduction.
            backend: the Keras backend to follow.
        """
        super().__init__()
        self.name, self.settings, self.reduction, self.backend = name, dict(settings), reduction, backend

    @property
    def finds_logits(self) -> bool:
        """Whether Keras computes this loss from the logits behind a prediction where it finds them."""
        # An ignored class makes Keras compute a new prediction, behind which there are none.
        found = self.backend == "tensorflow" and RULES[self.name].activation is not None
        return found and self.settings.get("ignore_class") is None

    def forward(
        self, prediction: Tensor, target: Tensor, mask: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss: a scalar, or without a reduction the loss of each element, (*batch,)."""
        return self.of_source(source_of(prediction), prediction, target, mask, sample_weight)

    def of_source(
        self,
        source: Source | None,
        prediction: Tensor,
        target: Tensor,
        mask: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a prediction that comes out of a given source, or None for any other prediction."""
        given = prediction
        if self.name != "SparseCategoricalCrossentropy":
            prediction, target = of_one_rank(prediction, target.to(prediction.dtype))  # Keras casts it too
        settings = dict(self.settings)
        if RULES[self.name].activation is not None:
            found = source if self.finds_logits and prediction is given else None
            prediction, settings["form"] = self._form(prediction, found)
            settings["clips_first"] = self.backend in RULES[self.name].clips_first
            del settings["from_logits"]
        each, counts = RULES[self.name].formula(prediction, target, **settings)
        if counts is not None:
            mask = counts if mask is None else counts & mask.to(counts.device)
        return reduced(each, mask, sample_weight, self.reduction)

    def _form(self, prediction: Tensor, source: Source | None) -> tuple[Tensor, Form]:
        """Return what the loss is computed from, and its form."""
        if source is None:
            return prediction, Form.LOGITS if self.settings["from_logits"] else Form.PROBABILITIES
        if source.logits is not None:
            return source.logits, Form.LOGITS
        if source.activation not in ("", RULES[self.name].activation):
            raise NoCounterpartError.because(
                f"the prediction for keras.losses.{self.name}",
                must=f"come out of a {RULES[self.name].activation}",
                but=f"comes out of a {source.activation}, whose logits Keras on TensorFlow would use",
                remedy="Return the logits, and use a loss with from_logits=True.",
            )
        return prediction, Form.ACTIVATED

    def extra_repr(self) -> str:
        """Show the rule and its settings."""
        return ", ".join([self.name, *(f"{name}={value!r}" for name, value in self.settings.items()), str(self.reduction)])
