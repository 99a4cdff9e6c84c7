"""Remedies for the two biases that nn.RNN and nn.LSTM train where Keras trains one, which so moves twice as far."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.rows import owner_of, row_of


def freeze_second_bias(module: Any) -> Any:
    """Let torch train one bias of each nn.RNN and nn.LSTM, as Keras does: in place, with the same function.

    `bias_ih` takes the sum of both; `bias_hh` becomes zero and is frozen. The optimizer then needs no care: weight decay,
    clipping and every rule see one bias, and `optimizer_like` pairs it with Keras's. An optimizer that has worked before holds
    slots of the single biases: make it anew. nn.GRU, of which Keras trains both biases too, is left as it is.

    Args:
        module: nn.RNN, nn.LSTM, their cells, or any module that holds such.

    Returns:
        The module itself.

    Raises:
        GatewiseError: for biases that are parametrised, or that one is added to several of; nothing is changed then.
    """
    return _implementation(module).freeze_second_bias(module)


def half_rate_for_biases(module: Any, lr: Any) -> list[dict[str, Any]]:
    """Give the parameter groups for a torch optimizer in which both biases of each nn.RNN and nn.LSTM learn at half the rate.

    Both get the gradient of their sum, so that the sum moves at the full rate: exactly, under SGD with or without momentum,
    RMSprop, Adagrad, Adadelta, Adam, Adamax, NAdam and Lion, whose steps are the rate times something of the gradients alone,
    epsilon and clipping by value included. It is not exact

    * with weight decay, which shrinks each bias at half the rate: give the second group twice the `weight_decay`. That is
      exact where decay is decoupled (AdamW) or the rule is SGD; Adam's own mixes it into gradients that it then normalises;
    * with clipping by the norm of all gradients, in which this gradient counts twice; each on its own is clipped right;
    * under rules that look at the size of a parameter (Adafactor, LAMB, LARS) or search along a line (LBFGS).

    Schedulers must keep the ratio of the groups: LambdaLR, StepLR, ExponentialLR and others that multiply do. A bound that is
    not zero (`eta_min`, `min_lr`, `max_lr`) wants to be halved for the second group; `schedule_like` sets one rate for all
    groups, and `optimizer_like` takes no groups: there use `freeze_second_bias`.

    Args:
        module: any torch module; all its parameters that are trained are in the groups, each once.
        lr: the learning rate of everything else, a number.

    Returns:
        At most two groups for a torch optimizer's `params`, the biases last; of a pair with one bias frozen, as
        `freeze_second_bias` leaves it, the other keeps the full rate.

    Raises:
        GatewiseError: as `freeze_second_bias`, and for a rate that is no positive number.
    """
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not lr > 0:
        raise InvalidValueError.because("lr", must="be a positive number", but=f"is {lr!r}", remedy="Give one, such as 0.001.")
    groups: list[dict[str, Any]] = _implementation(module).half_rate_for_biases(module, lr)
    return groups


def _implementation(module: Any) -> Any:
    if owner_of(module) is not row_of("pytorch"):
        kind = type(module)
        raise InvalidTypeError.because(
            "the module",
            must="be a torch.nn.Module",
            but=f"is a {kind.__module__}.{kind.__qualname__}",
            remedy="Keras's layers have one bias where it counts.",
        )
    registry.load("pytorch")
    return import_module("frameworks.pytorch.biases")
