"""Dropout and noise of both sides: what draws random numbers in training, and how to do without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from frameworks.keras_in_torch.layers.call_and_states import KerasLayer

_KERAS_RATES = ("rate", "stddev", "dropout", "recurrent_dropout")
"""The attributes in which Keras layers and cells keep a rate of dropout or a size of noise."""

Found = tuple[str, Any, str, float]
"""The name of a layer, the layer, the attribute of its rate, and the rate."""


@contextmanager
def without_dropout(model: Any, module: nn.Module) -> Iterator[tuple[str, ...]]:
    """Set all rates of dropout and noise to 0, and back at the end.

    Args:
        model: the Keras model.
        module: the torch module.

    Yields:
        A note that names the rates of both sides; none if there are no rates.
    """
    found = {"Keras": list(_of_keras(model)), "PyTorch": list(_of_torch(module))}
    with ExitStack() as undo:
        for name, layer, attribute, rate in (one for some in found.values() for one in some):
            if attribute:
                undo.callback(setattr, layer, attribute, rate)
                setattr(layer, attribute, 0.0)
            else:  # an emulated layer has its rates in cells that cannot be changed, and draws only in training mode
                undo.callback(layer.register_forward_pre_hook(lambda emulated, _: emulated.eval() and None).remove)
            del name
        sides = [f"{side} has {_described(some)}" for side, some in found.items()]
        yield (f"Both were trained without dropout, which is not compared: {'; '.join(sides)}.",) if any(found.values()) else ()


def _described(found: list[Found]) -> str:
    return ", ".join(f"{name} ({rate:g})" for name, _, _, rate in found) or "none"


def _of_keras(model: Any) -> Iterator[Found]:
    for layer in model._flatten_layers():
        for attribute in _KERAS_RATES:
            rate = vars(layer).get(attribute)
            if isinstance(rate, (int, float)) and not isinstance(rate, bool) and rate:
                name = layer.name if attribute in ("rate", "stddev") else f"{attribute} of {layer.name}"
                yield name, layer, attribute, float(rate)


def _of_torch(module: nn.Module) -> Iterator[Found]:
    for path, one in module.named_modules():
        name = path or type(one).__name__
        if isinstance(one, _DropoutNd) and one.p:
            yield name, one, "p", one.p
        elif isinstance(one, (nn.RNNBase, nn.MultiheadAttention)) and one.dropout:
            yield f"dropout of {name}", one, "dropout", one.dropout
        elif isinstance(one, KerasLayer):
            options = one.options
            for rate, kind in ((options.dropout, "dropout"), (options.recurrent_dropout, "recurrent_dropout")):
                if rate:
                    yield f"{kind} of {name}", one, "", rate
