"""The loss of both sides of a comparison: Keras's as `fit` computes it, and the port's that must equal it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from compare.training.penalties import Penalties
from frameworks.errors import InvalidTypeError
from frameworks.keras.tensors import to_numpy
from frameworks.keras_in_torch.losses import KerasLoss
from frameworks.keras_in_torch.losses.reductions import require_fitting
from frameworks.keras_in_torch.losses.rules import RULES
from frameworks.keras_in_torch.losses.sources import RememberedLogits, Source, source_of

Array = npt.NDArray[Any]

_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
"""The activation of each operation in a TensorFlow graph."""


class Objective:
    """The loss that a model and its port are trained with.

    Attributes:
        predictions: the latest predictions of "keras" and "pytorch", from calls outside a compiled step.
        source: what Keras finds behind its prediction, or None; known once Keras has computed the loss.
        mask: a function that returns the mask of the Keras side's latest prediction, or None.
        lost_logits: whether Keras uses logits that are not known of the port's prediction.
    """

    def __init__(
        self, model: Any, module: nn.Module, keras_loss: Any, torch_loss: Callable[..., Any], penalties: Penalties
    ) -> None:
        """Combine the losses.

        Args:
            model: the Keras model.
            module: its port.
            keras_loss: a Keras loss object.
            torch_loss: the port's loss: a KerasLoss, or a function of prediction, target, and mask and sample_weight if any.
            penalties: the penalties of the regularisers.
        """
        self.model, self.module = model, module
        self.keras_loss, self.torch_loss, self.penalties = keras_loss, torch_loss, penalties
        self.predictions: dict[str, Array] = {}
        self.source: Source | None = None
        self.mask: Callable[[], Array | None] = lambda: None
        self.lost_logits = False

    def in_keras(self, inputs: Any, targets: Any, weights: Any = None) -> tuple[Any, Any]:
        """Return Keras's loss, as a step of `fit` computes it, and the mask of the prediction or None."""
        prediction = self.model(inputs, training=True)
        _require_one_tensor("the Keras model", prediction, keras.ops.is_tensor(prediction))
        mask = getattr(prediction, "_keras_mask", None)
        self.source = self._behind(prediction)
        if not _is_symbolic(prediction):
            self.predictions["keras"] = np.array(to_numpy(prediction))
            self._require_fitting(targets, prediction, {"mask": mask, "sample_weight": weights})
        if weights is not None and mask is not None:
            weights = _spread(keras.ops.cast(weights, self.keras_loss.dtype), mask)
        loss = self.keras_loss(targets, prediction, sample_weight=weights)
        return sum((keras.ops.sum(one) for one in self.model.losses), start=loss), mask

    def in_torch(self, inputs: Any, targets: Array, weights: Array | None = None) -> Any:
        """Return the port's loss with the mask of Keras's latest prediction."""
        with self.penalties.collecting():
            prediction = self.predict_in_torch(inputs)
        target = torch.as_tensor(targets, device=prediction.device)
        beside = {"mask": self.mask(), "sample_weight": weights}
        given = {name: torch.as_tensor(one, device=prediction.device) for name, one in beside.items() if one is not None}
        if isinstance(self.torch_loss, KerasLoss):
            loss = self.torch_loss.of_source(self._source_of(prediction), prediction, target, **given)
        else:
            loss = self.torch_loss(prediction, target, **given)
        return loss + self.penalties.of_module()

    def predict_in_torch(self, inputs: Any) -> torch.Tensor:
        """Return the port's prediction in training mode, which knows the logits that it was computed from."""
        device = next(self.module.parameters()).device
        self.module.train()
        with RememberedLogits():
            prediction: torch.Tensor = self.module(
                keras.tree.map_structure(lambda array: torch.as_tensor(array, device=device), inputs)
            )
        _require_one_tensor("the module", prediction, isinstance(prediction, torch.Tensor))
        self.predictions["pytorch"] = np.array(to_numpy(prediction))
        return prediction

    def _require_fitting(self, targets: Any, prediction: Any, beside: Mapping[str, Any]) -> None:
        given = {name: tuple(one.shape) for name, one in beside.items() if one is not None}
        if given:
            both = (keras.ops.convert_to_tensor(one, dtype=self.keras_loss.dtype) for one in (targets, prediction))
            losses = tuple(self.keras_loss.call(*both).shape)
            for name, shape in given.items():
                require_fitting(name, shape, losses)

    def _behind(self, prediction: Any) -> Source | None:
        """Return what Keras finds behind its prediction, as the TensorFlow backend's `_get_logits` does."""
        if not isinstance(self.torch_loss, KerasLoss) or not self.torch_loss.finds_logits:
            return None
        prediction = keras.ops.convert_to_tensor(prediction, dtype=self.keras_loss.dtype)
        operation = prediction.op.type if _is_symbolic(prediction) else ""
        activation = _OPERATIONS.get(operation, "")
        if hasattr(prediction, "_keras_logits") or activation == RULES[self.torch_loss.name].activation:
            return Source(activation)
        return None

    def _source_of(self, prediction: torch.Tensor) -> Source | None:
        """Return what the port's loss is to be computed from, where Keras uses logits."""
        if self.source is None:
            return None
        found = source_of(prediction)
        self.lost_logits = found is None or found.logits is None
        return self.source if found is None else found


def _spread(weights: Any, mask: Any) -> Any:
    """Return a copy of the weights with one for each element of the mask.

    On its torch backend, Keras multiplies weights by the mask in place, in the memory of the caller's array.
    """
    squeezed = keras.ops.squeeze(weights, -1) if len(weights.shape) > len(mask.shape) else weights
    return squeezed * keras.ops.ones_like(mask, dtype=weights.dtype)


def _is_symbolic(prediction: Any) -> bool:
    """Return whether a tensor belongs to a TensorFlow graph that is being traced."""
    return keras.config.backend() == "tensorflow" and not hasattr(prediction, "numpy")


def _require_one_tensor(subject: str, prediction: Any, is_one: bool) -> None:  # noqa: FBT001  the caller's framework tells
    if not is_one:
        raise InvalidTypeError.because(
            subject,
            must="return one tensor",
            but=f"returns a {type(prediction).__name__}",
            remedy="Wrap it in a model that returns the one that is trained.",
        )
