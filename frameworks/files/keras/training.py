"""What training leaves in a file beside the layers: the state of the optimizer, and the variables of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import StoredArray

_OPTIMIZER = ("optimizer", "optimizer_weights")
_METRICS = ("metrics",)


_STEP_AND_RATE = ("vars/0", "vars/1")


def is_optimizer(arrays: Mapping[str, StoredArray]) -> bool:
    """Return whether a file holds an optimizer alone: its step and its learning rate, two scalars, and then its slots."""
    scalars = [path for path, array in arrays.items() if array.shape == ()]
    own = all(path.startswith("vars/") for path in arrays)
    return own and len(arrays) > len(scalars) and set(_STEP_AND_RATE) <= set(scalars)


def is_of_training(path: str) -> bool:
    """Return whether the variable at a path belongs to an optimizer or a metric."""
    return path.partition("/")[0] in (*_OPTIMIZER, *_METRICS)


def read_training(arrays: Mapping[str, StoredArray], compiled: Any = None) -> Iterator[OtherLayer]:
    """Yield an entry for the state of the optimizer, if the file has it; the variables of metrics mean nothing to a port.

    Args:
        arrays: the variables of the file by their paths.
        compiled: the arguments of the model's `compile`, if the file states them.
    """
    slots = [path for path in arrays if is_optimizer(arrays) or path.partition("/")[0] in _OPTIMIZER]
    if slots:
        optimizer = compiled.get("optimizer") if isinstance(compiled, Mapping) else None
        name = optimizer.get("class_name") if isinstance(optimizer, Mapping) else optimizer
        own = f"optimizer {name.rpartition('>')[2]}" if isinstance(name, str) else "optimizer"
        count = f"{len(slots)} array{'s' if len(slots) > 1 else ''}"
        yield OtherLayer("optimizer", own, warnings=(f"it is the state of the {own} ({count}), which is not ported.",))
