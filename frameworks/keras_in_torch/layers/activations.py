"""The activations of Keras's layers in torch, by name or as a caller's own torch function.

Names and definitions are those of `frameworks.activations`. All keep the precision of float64, also in gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.families import ByName

Activation = Callable[[torch.Tensor], torch.Tensor]


def _hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    # functional.hardsigmoid rounds its gradient of 1/6 to float32, even in float64.
    return functional.relu6(x + 3) / 6


def _softplus(x: torch.Tensor) -> torch.Tensor:
    # Above the threshold torch returns x: the default of 20 is too low for float64. ONNX has no logaddexp.
    return functional.softplus(x, threshold=40)


def _sparsemax(x: torch.Tensor) -> torch.Tensor:
    """Compute sparsemax as in Keras 3.15: its threshold adds up all supported running sums; the paper uses only the last."""
    ordered = x.sort(dim=-1, descending=True).values
    sums = ordered.cumsum(-1)
    supported = ordered - (sums - 1) / torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device) > 0
    threshold = (torch.where(supported, sums, 0).sum(-1, keepdim=True) - 1) / supported.sum(-1, keepdim=True)
    return torch.clamp(x - threshold, min=0)


ACTIVATIONS: Mapping[str, Activation] = ByName(
    {
        "linear": lambda x: x,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": _hard_sigmoid,
        "keras2_hard_sigmoid": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
        "relu": torch.relu,
        "relu6": functional.relu6,
        "leaky_relu": lambda x: functional.leaky_relu(x, negative_slope=0.2),
        "elu": functional.elu,
        "celu": functional.celu,
        "selu": functional.selu,
        "softplus": _softplus,
        "softsign": functional.softsign,
        "silu": functional.silu,
        "hard_silu": lambda x: x * _hard_sigmoid(x),
        "hard_tanh": functional.hardtanh,
        "tanh_shrink": functional.tanhshrink,
        "gelu": functional.gelu,
        "mish": functional.mish,
        "exponential": torch.exp,
        "log_sigmoid": lambda x: -_softplus(-x),  # functional.logsigmoid is exported to ONNX as the log of a sigmoid
        "softmax": lambda x: torch.softmax(x, dim=-1),
        "log_softmax": lambda x: torch.log_softmax(x, dim=-1),
        "hard_shrink": functional.hardshrink,
        "soft_shrink": functional.softshrink,
        "sparse_plus": lambda x: torch.where(x <= -1, 0, torch.where(x < 1, (x + 1) ** 2 / 4, x)),
        "sparse_sigmoid": lambda x: torch.clamp((x + 1) / 2, 0, 1),
        "sparsemax": _sparsemax,
        "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
    },
    {
        "affine": lambda a, b: lambda x: a * x + b,
        "elu": lambda a: lambda x: functional.elu(x, alpha=a),
        "hard_sigmoid": lambda a, b: lambda x: torch.clamp(a * x + b, 0, 1),
        "leaky_relu": lambda a: lambda x: functional.leaky_relu(x, negative_slope=a),
        "scaled_tanh": lambda a, b: lambda x: a * torch.tanh(b * x),
        "thresholded_relu": lambda a: lambda x: functional.threshold(x, a, 0),
    },
)
"""The activations by Keras and ONNX name. `glu` and `threshold` are left out: no recurrent Keras layer runs with them."""

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def name_activation(activation: str | Activation | None, subject: str) -> str | Activation:
    """Check an activation, and return the name of a built-in one or the function itself.

    Args:
        activation: a name, a torch function or module, or None for no activation, called "linear" in Keras.
        subject: the argument's name, for messages.

    Raises:
        GatewiseError: for an unknown name, and for a callable that does not turn a torch tensor into one of the same kind.
    """
    if activation is None:
        return "linear"
    if not isinstance(activation, str):
        _require_torch_function(activation, subject)
        return activation
    name = _ALIASES.get(activation, activation)
    if name not in ACTIVATIONS:
        raise InvalidValueError.because(
            subject,
            must=f"be one of {', '.join(ACTIVATIONS)}, or a torch function",
            but=f"is {activation!r}",
            remedy="Write it as a function of a torch tensor and pass that.",
        )
    return name


def find_activation(activation: str | Activation) -> Activation:
    """Return the function of an activation that `name_activation` has checked."""
    return ACTIVATIONS[activation] if isinstance(activation, str) else activation


def _require_torch_function(function: Any, subject: str) -> None:
    """Try a function on a small tensor: a function of another framework or of NumPy fails or returns another type."""
    probe = torch.zeros(2, 3, requires_grad=True)
    try:
        result = function(probe)
    except Exception as error:  # noqa: BLE001  a foreign function may raise anything
        problem = f"raises {type(error).__name__}: {str(error).rstrip('.')}"
    else:
        if isinstance(result, torch.Tensor) and (result.shape, result.dtype) == (probe.shape, probe.dtype):
            return
        kind = f"{result.dtype} {tuple(result.shape)}" if isinstance(result, torch.Tensor) else f"a {type(result).__name__}"
        problem = f"turns {probe.dtype} {tuple(probe.shape)} into {kind}"
    raise InvalidTypeError.because(
        subject,
        must="be a built-in activation of Keras, or a function from a torch tensor to one of the same shape and dtype",
        but=f"is {getattr(function, '__name__', repr(function))}, which {problem}",
        remedy="Write it with torch and pass that function, as in frameworks.emulation.pytorch.KerasLSTM(4, activation=...). "
        "Its weights are the state_dict of gatewise.emulate of the layer with a built-in activation.",
    )
