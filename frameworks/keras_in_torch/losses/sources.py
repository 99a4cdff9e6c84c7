"""What produced a prediction: Keras on TensorFlow computes a crossentropy from the logits that it finds behind one.

Source: keras/src/backend/tensorflow/nn.py, `softmax`, `sigmoid` and `_get_logits`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

Tensor = torch.Tensor

_FUNCTIONS: Mapping[str, str] = MappingProxyType({"softmax": "softmax", "sigmoid": "sigmoid", "special_expit": "sigmoid"})
"""The activation that each torch function computes."""
_NODES: Mapping[str, str] = MappingProxyType({"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"})
"""The activation that each node of autograd's graph belongs to."""


@dataclass(frozen=True)
class Source:
    """The activation that returned a prediction.

    Attributes:
        activation: "softmax", "sigmoid", or "" if it is not known which.
        logits: its input, shaped like the prediction; None if it is not known.
    """

    activation: str
    logits: Tensor | None = None


class RememberedLogits(TorchFunctionMode):
    """A context in which the results of softmax and sigmoid remember their inputs, as Keras's do on TensorFlow."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function, and note the input on its result."""
        result = func(*args, **(kwargs or {}))
        activation = _FUNCTIONS.get(getattr(func, "__name__", ""))
        if activation is not None and isinstance(result, Tensor):
            logits = args[0] if args else (kwargs or {})["input"]
            result._gatewise_source = Source(activation, logits.to(result.dtype))  # type: ignore[attr-defined]
        return result


def source_of(prediction: Tensor) -> Source | None:
    """Return what a prediction comes out of, if that is a softmax or a sigmoid.

    The logits are known if the prediction was computed within `RememberedLogits`. Elsewhere autograd's graph tells the
    activation alone, and only where gradients are recorded.
    """
    noted: Source | None = getattr(prediction, "_gatewise_source", None)
    activation = _NODES.get(type(prediction.grad_fn).__name__)
    return noted if noted is not None or activation is None else Source(activation)
