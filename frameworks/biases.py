"""Remedies for the two biases of nn.RNN and nn.LSTM: torch trains both, so their sum moves twice as far as Keras's one bias."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.rows import owner_of, row_of


def freeze_second_bias(module: Any) -> Any:
    """Make torch train one bias of each nn.RNN and nn.LSTM, as Keras does, without changing what the module computes.

    In place, `bias_ih` becomes the sum of both biases; `bias_hh` becomes zero and is frozen. The optimizer needs no change:
    weight decay, clipping and every rule see one bias, and `optimizer_like` pairs it with the Keras bias. If an optimizer has
    already made steps, it has slots for the separate biases: create a new one. nn.GRU is left as it is, because Keras trains
    both biases of a GRU too.

    Args:
        module: nn.RNN, nn.LSTM, one of their cells, or any module that contains them.

    Returns:
        The module itself.

    Raises:
        GatewiseError: for a bias that is parametrised, or that is shared and therefore added to several others; nothing is
            changed then.

    Example:
        >>> import torch
        >>> from gatewise import freeze_second_bias
        >>> lstm = freeze_second_bias(torch.nn.LSTM(3, 2))
        >>> lstm.bias_hh_l0.requires_grad, bool(lstm.bias_hh_l0.any())
        (False, False)
    """
    return _implementation(module).freeze_second_bias(module)


def half_rate_for_biases(module: Any, lr: Any) -> list[dict[str, Any]]:
    """Return parameter groups for a torch optimizer in which both biases of each nn.RNN and nn.LSTM learn at half the rate.

    Each bias gets the gradient of their sum, so the sum moves at the full rate. This is exact for SGD with or without momentum,
    RMSprop, Adagrad, Adadelta, Adam, Adamax, NAdam and Lion, also with epsilon and clipping by value: their steps are the rate
    times a function of the gradients alone. It is not exact

    * with weight decay, which shrinks each bias at half the rate: give the second group twice the `weight_decay`. That is
      exact for decoupled decay (AdamW) and for SGD; Adam mixes the decay into the gradients before it normalises them;
    * with clipping by the norm of all gradients, in which this gradient counts twice; clipping each gradient alone is exact;
    * for rules that depend on the size of a parameter (Adafactor, LAMB, LARS) or search along a line (LBFGS).

    Schedulers must keep the ratio of the two rates. Schedulers that multiply do so: LambdaLR, StepLR, ExponentialLR. Halve any
    bound other than zero (`eta_min`, `min_lr`, `max_lr`) for the second group. `schedule_like` sets one rate for all groups,
    and `optimizer_like` accepts no groups: use `freeze_second_bias` with them.

    Args:
        module: any torch module; the groups contain each of its trainable parameters once.
        lr: the learning rate of all other parameters, a positive number.

    Returns:
        At most two groups for a torch optimizer's `params`, the biases last. If one bias of a pair is frozen, as after
        `freeze_second_bias`, the other keeps the full rate.

    Raises:
        GatewiseError: as in `freeze_second_bias`, and for a rate that is not a positive number.

    Example:
        >>> import torch
        >>> from gatewise import half_rate_for_biases
        >>> optimizer = torch.optim.Adam(half_rate_for_biases(torch.nn.LSTM(3, 2), lr=0.01))
        >>> [(group["lr"], len(group["params"])) for group in optimizer.param_groups]
        [(0.01, 2), (0.005, 2)]
    """
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not lr > 0:
        raise InvalidValueError.because("lr", must="be a positive number", but=f"is {lr!r}", remedy="Pass one, such as 0.001.")
    groups: list[dict[str, Any]] = _implementation(module).half_rate_for_biases(module, lr)
    return groups


def _implementation(module: Any) -> Any:
    if owner_of(module) is not row_of("pytorch"):
        kind = type(module)
        raise InvalidTypeError.because(
            "the module",
            must="be a torch.nn.Module",
            but=f"is a {kind.__module__}.{kind.__qualname__}",
            remedy="Keras's own layers need no remedy: they train one bias.",
        )
    registry.load("pytorch")
    return import_module("frameworks.pytorch.biases")
