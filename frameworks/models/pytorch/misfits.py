"""Layers whose options, inputs and arrays contradict each other: refused by name wherever a writer trips over one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.models.graph import Call, Layer, Value
from frameworks.showing import shortened


@contextmanager
def refusing_misfits(layer: Layer) -> Iterator[None]:
    """Turn what a writer raises over the nonsense of a file into a refusal of the layer.

    Args:
        layer: the layer that is being written.

    Raises:
        InvalidValueError: instead of what the body raises, unless that is a refusal already.
    """
    try:
        yield
    except GatewiseError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        StopIteration,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise InvalidValueError.because(
            f"{shortened(layer.kind, 60)} {shortened(layer.name, 100)!r}",
            must="have options, inputs and weights that fit each other",
            but=f"they do not ({type(error).__name__}: {shortened(str(error), 200)})",
            remedy="Check that the weights and the architecture belong to each other, and that Keras opens the model.",
        ) from error


def require_tensors(layer: Layer, call: Call) -> None:
    """Raise an error for a layer that is called without a tensor, or with text, which must not become code.

    Args:
        layer: the layer; operations and gaps take constants, and write them as such.
        call: its call.
    """
    has_text = not layer.is_operation and _has_text((*call.args, dict(call.kwargs)))
    if not layer.gap and (has_text or not call.reads):
        raise TypeError("it is called with something else than tensors")


def _has_text(value: Value) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_text, value.values()))
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and any(map(_has_text, value)))
