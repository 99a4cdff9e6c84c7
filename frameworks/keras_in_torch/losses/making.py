"""Finding the torch loss for a Keras loss or its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from frameworks.errors import InvalidTypeError, NoCounterpartError
from frameworks.keras_in_torch.losses.keras_loss import KerasLoss
from frameworks.keras_in_torch.losses.rules import RULES


def loss_like(keras_loss: Any) -> KerasLoss:
    """Return the torch loss that computes the same as a Keras loss, see `frameworks.loss_like`."""
    keras = import_module("keras")
    loss = named_loss(keras_loss) if isinstance(keras_loss, str) else keras_loss
    kind = type(loss)
    if not isinstance(loss, keras.losses.Loss):
        raise InvalidTypeError.because(
            "the loss",
            must="be a loss object of Keras or its name",
            but=f"is {loss!r}",
            remedy="Pass the object, such as keras.losses.MeanSquaredError().",
        )
    if kind.__name__ not in RULES or not kind.__module__.startswith("keras.src."):
        raise _unknown(f"a {kind.__name__} of {kind.__module__}")
    settings = dict(loss._fn_kwargs)  # get_config leaves some out, such as Huber's delta
    _require_last_axis(kind.__name__, settings)
    settings.pop("axis", None)
    return KerasLoss(kind.__name__, settings, loss.reduction, keras.config.backend())


def named_loss(name: str, dtype: str | None = None) -> Any:
    """Return the Keras loss of a name, with Keras's default settings.

    Args:
        name: a name such as "mse".
        dtype: the dtype to compute in; Keras's floatx when None.

    Raises:
        GatewiseError: for a name without a loss in `RULES`.
    """
    keras = import_module("keras")
    try:
        function = keras.losses.get(name)
    except ValueError:
        raise _unknown(f"{name!r}") from None
    kind = "".join(part.capitalize() for part in function.__name__.split("_"))  # mean_squared_error: MeanSquaredError
    if kind not in RULES:
        raise _unknown(f"{name!r}")
    return getattr(keras.losses, kind)(dtype=dtype)


def _unknown(what: str) -> NoCounterpartError:
    return NoCounterpartError.because(
        "the loss",
        must=f"be one of Keras's {', '.join(RULES)}",
        but=f"is {what}",
        remedy="Write the torch loss yourself: compare_training takes it as torch_loss, and tells whether it equals Keras's.",
    )


def _require_last_axis(name: str, settings: Mapping[str, Any]) -> None:
    if settings.get("axis", -1) != -1:
        raise NoCounterpartError.because(
            f"the axis of keras.losses.{name}",
            must="be -1, the last",
            but=f"is {settings['axis']}",
            remedy="Move the classes to the last axis.",
        )
