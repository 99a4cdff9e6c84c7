"""The tensors of one model of today's Keras while it is built: their names, and the masks that are given in calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import keras

from frameworks.models.graph import ArrivingMask, GivenMask, MadeMask, Mask, MergedMask, ReturnedMask, Tensor
from frameworks.models.keras.options import refused

_MERGING: Mapping[str, Callable[[Any, Any], Any]] = {"and": keras.ops.logical_and, "or": keras.ops.logical_or}


class Names:
    """The names of one model's layers in today's Keras, which are unique and hold no slash.

    Args:
        names: the names in the source; those without a slash stay.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Reserve the names that stay."""
        self._kept = {name for name in names if "/" not in name}
        self._given: set[str] = set()

    def of(self, name: str) -> str:
        """Return a layer's name: its own, unless Keras 3 refuses it."""
        plain, number = name.replace("/", "_"), 1
        chosen = plain
        while chosen in self._given or (chosen in self._kept and chosen != name):
            number += 1
            chosen = f"{plain}_{number}"
        self._given.add(chosen)
        return chosen


class Tensors:
    """The tensors of one model, made so far.

    Args:
        names: the names of the model's layers.
        natives: its layers by name, as they are made.
        where: the model in messages.
    """

    def __init__(self, names: Names, natives: Mapping[str, Any], where: str) -> None:
        """Begin without tensors."""
        self.values: dict[Tensor, Any] = {}
        self._names, self._natives, self._where = names, natives, where
        self._masks: dict[Mask, Any] = {}
        self.mask_inputs: dict[Tensor, Any] = {}
        self._named: set[int] = set()

    def named(self, value: Any, name: str) -> Any:
        """Give the operation that makes a tensor a name of its own."""
        operation = value._keras_history.operation  # noqa: SLF001  a function of keras.ops takes no name
        operation.name = self._names.of(name)
        self._named.add(id(operation))
        return value

    def name_operations(self, outputs: Iterable[Any]) -> None:
        """Give the operations that Keras itself made, for masks, names that no layer has."""
        for operation in _operations_before(outputs):
            if id(operation) not in self._named:
                operation.name = self._names.of(operation.name)

    def keep_mask(self, mask: Mask | None, value: Any) -> None:
        """Remember a mask that today's Keras made itself, with a tensor that carries it."""
        own = getattr(value, "_keras_mask", None)
        if mask is not None and own is not None:
            self._masks.setdefault(mask, own)

    def know_mask(self, mask: Mask, value: Any) -> None:
        """Remember the tensor of a mask."""
        self._masks[mask] = value

    def mask(self, mask: Mask) -> Any:
        """Return a mask as a tensor of the model; one that arrives with an input becomes an input of its own.

        Raises:
            NoCounterpartError: for the mask that a wrapped model returns.
        """
        if mask not in self._masks:
            self._masks[mask] = self._compute(mask)
        return self._masks[mask]

    def _compute(self, mask: Mask) -> Any:
        match mask:
            case GivenMask():
                return self.values[mask.tensor]
            case ArrivingMask():
                return self._mask_input(mask.read)
            case MadeMask():
                return self._natives[mask.layer].compute_mask(self.values[mask.read])
            case MergedMask(how="any"):
                (value,) = (self.mask(each) for each in mask.masks if each is not None)
                axes = tuple(range(mask.axis, len(value.shape)))
                return keras.ops.any(value, axis=axes) if axes else value
            case MergedMask(how="joined"):
                parts = [self.mask_of(*each) for each in zip(mask.tensors, mask.masks, strict=True)]
                return keras.ops.concatenate(parts, axis=mask.axis)
            case MergedMask():
                return reduce(_MERGING[mask.how], [self.mask(each) for each in mask.masks if each is not None])
        raise refused(
            f"the masks in {self._where}",
            must="be those that Keras 3 passes on by itself, or such that they can be given in a call",
            but="are others: one is returned by a model that a wrapper applies to each time step",
        )

    def _mask_input(self, read: Tensor) -> Any:
        """Return the input for the mask of another input, which is True where no mask arrives."""
        value = self.values[read]
        name = self._names.of(f"{value.name}_mask")
        self.mask_inputs[read] = keras.Input(batch_shape=tuple(value.shape[:2]), dtype="bool", name=name)
        return self.mask_inputs[read]

    def mask_of(self, tensor: Tensor, mask: Mask | None) -> Any:
        """Return the mask of a tensor; one without a mask is valid everywhere."""
        if mask is not None:
            return self.mask(mask)
        value = self.values[tensor]
        return keras.ops.ones_like(value[..., 0] if len(value.shape) > 2 else value, dtype="bool")


def masks_returned(masks: Iterable[Mask | None]) -> list[ReturnedMask]:
    """Return the masks of nested models' results that masks are, or are merged of."""
    found: list[ReturnedMask] = []
    for mask in masks:
        if isinstance(mask, ReturnedMask):
            found.append(mask)
        elif isinstance(mask, MergedMask):
            found += masks_returned(mask.masks)
    return found


def masks_by_name(native: Any, args: Sequence[Any], masks: Sequence[Any]) -> dict[str, Any]:
    """Return masks as a layer's call takes them: one, a list, or one for each of its arguments."""
    names = list(inspect.signature(native.call).parameters)
    if "mask" in names:
        return {"mask": list(masks) if isinstance(args[0], (list, tuple)) else masks[0]}
    named = {f"{name}_mask": mask for name, mask in zip(names, masks, strict=False) if mask is not None}
    return {name: mask for name, mask in named.items() if name in names}


def _operations_before(tensors: Iterable[Any]) -> list[Any]:
    """Return the operations, but not the layers, that tensors are computed by."""
    found: dict[int, Any] = {}
    waiting, seen = list(tensors), set()
    while waiting:
        history = getattr(waiting.pop(), "_keras_history", None)
        if history is None or (id(history.operation), history.node_index) in seen:
            continue
        seen.add((id(history.operation), history.node_index))
        if not isinstance(history.operation, keras.Layer):
            found[id(history.operation)] = history.operation
        waiting += history.operation._inbound_nodes[history.node_index].input_tensors  # noqa: SLF001  Keras's only record
    return list(found.values())
