"""Calling a port without dropout: in evaluation mode, and with what drops by itself switched off."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_RATES = ("rate", "dropout", "recurrent_dropout")


@contextmanager
def without_dropout(roots: Iterable[Any], *, functions: bool = True) -> Iterator[None]:
    """Put torch modules into evaluation mode and the rates of Keras layers to zero.

    Args:
        roots: the modules and layers.
        functions: whether torch's dropout functions drop nothing either.
    """
    with ExitStack() as stack:
        for root in roots:
            for module in root.modules() if hasattr(root, "state_dict") else ():
                if module.training:
                    module.training = False
                    stack.callback(setattr, *(module, "training", True))
            for layer in _keras_layers(root):
                for name in _RATES:
                    rate = vars(layer).get(name)
                    if isinstance(rate, float) and rate:
                        setattr(layer, name, 0.0)
                        stack.callback(setattr, layer, name, rate)
        if functions and sys.modules.get("torch") is not None:
            stack.enter_context(_dropping_nothing())
        yield


def drops(roots: Iterable[Any]) -> bool:
    """Return whether a torch module that drops is in training mode."""
    modules = [module for root in roots if hasattr(root, "state_dict") for module in root.modules()]
    rates = ((module, getattr(module, name, 0)) for module in modules for name in ("p", *_RATES))
    return any(module.training and isinstance(rate, float) and rate > 0 for module, rate in rates)


def _keras_layers(root: Any) -> Iterable[Any]:
    return getattr(root, "_flatten_layers", tuple)()


def _dropping_nothing() -> Any:
    """Return a context in which torch's dropout functions return their input."""
    import torch
    from torch.overrides import TorchFunctionMode

    names = ("dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
    functions = {getattr(where, name) for where in (torch, torch.nn.functional) for name in names if hasattr(where, name)}

    class Quiet(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in functions:
                return args[0] if args else (kwargs or {})["input"]
            return func(*args, **(kwargs or {}))

    return Quiet()
