"""Mistakes as changes of a correct model: of an array, of an attribute, of a step of its forward."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np
import torch

from tests.acceptance.models.weights import lay

Alter = Callable[[Any], None]
Change = Callable[[np.ndarray], np.ndarray]


def array(path: str, change: Change) -> Alter:
    """Change parameters or buffers of the port; a path may name several, separated by spaces."""

    def alter(port: Any) -> None:
        tensors = dict(port.named_parameters(remove_duplicate=False)) | dict(port.named_buffers())
        for each in path.split():
            lay(tensors[each], change(tensors[each].detach().numpy().copy()))

    return alter


def keras_array(layer: str, number: int, change: Change) -> Alter:
    """Change one array of a Keras layer."""

    def alter(model: Any) -> None:
        weights = model.get_layer(layer).get_weights()
        weights[number] = change(weights[number])
        model.get_layer(layer).set_weights(weights)

    return alter


def attribute(path: str, value: Any) -> Alter:
    """Set an attribute of a module of the port, or replace the module."""

    def alter(port: Any) -> None:
        *owners, name = path.split(".")
        for owner in owners:
            port = getattr(port, owner)
        setattr(port, name, value)

    return alter


def keras_attribute(layer: str, path: str, value: Any) -> Alter:
    """Set an attribute of a Keras layer."""
    return lambda model: attribute(path, value)(model.get_layer(layer))


def calls(**methods: Callable[..., Any]) -> Alter:
    """Replace methods of the port, which take it as `self`."""

    def alter(port: Any) -> None:
        for name, method in methods.items():
            assert callable(getattr(port, name))
            setattr(port, name, MethodType(method, port))

    return alter


def several(*alters: Alter) -> Alter:
    """Make several changes, which are one mistake."""

    def alter(model: Any) -> None:
        for each in alters:
            each(model)

    return alter


def as_built(_: Any) -> None:
    """Change nothing: the sizes have made the mistake."""


def exchanged(first: str, second: str) -> Alter:
    """Exchange arrays of the port by their paths."""

    def alter(port: Any) -> None:
        tensors = dict(port.named_parameters())
        for one, other in zip(first.split(), second.split(), strict=True):
            kept = tensors[one].detach().numpy().copy()
            lay(tensors[one], tensors[other].detach().numpy())
            lay(tensors[other], kept)

    return alter


def copied(source: str, target: str) -> Alter:
    """Copy arrays of the port over others."""

    def alter(port: Any) -> None:
        tensors = dict(port.named_parameters())
        for one, other in zip(source.split(), target.split(), strict=True):
            lay(tensors[other], tensors[one].detach().numpy())

    return alter


def arrays_of(module: str, suffix: str, kinds: str = "weight_ih weight_hh bias_ih bias_hh") -> str:
    """Return the paths of the arrays of one layer and direction of a recurrent module."""
    return " ".join(f"{module}.{kind}_{suffix}" for kind in kinds.split())


def in_order(*order: int) -> Change:
    """Return the change of the order of the gates, along the first axis."""
    return lambda values: np.concatenate([np.split(values, len(order))[block] for block in order])


def blocks_transposed(gates: int) -> Change:
    return lambda values: np.concatenate([np.transpose(block) for block in np.split(values, gates)])


def negated_block(number: int, gates: int) -> Change:
    def change(values: np.ndarray) -> np.ndarray:
        np.split(values, gates)[number][...] *= -1
        return values

    return change


def added_to_block(number: int, gates: int, what: float) -> Change:
    def change(values: np.ndarray) -> np.ndarray:
        np.split(values, gates)[number][...] += what
        return values

    return change


def reshaped(values: np.ndarray) -> np.ndarray:
    """Return what a reshape of the Keras array makes, where a transposition is needed."""
    changed: np.ndarray = np.ascontiguousarray(values.T).reshape(values.shape)
    return changed


def transposed(values: np.ndarray) -> np.ndarray:
    return np.transpose(values)


def zero(values: np.ndarray) -> np.ndarray:
    return np.zeros_like(values)


def one(values: np.ndarray) -> np.ndarray:
    return np.ones_like(values)


def in_half_precision(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.astype(np.float16).astype(np.float32))


def in_bfloat16(values: np.ndarray) -> np.ndarray:
    changed: np.ndarray = torch.from_numpy(values).bfloat16().float().numpy()
    return changed


def rolled(values: np.ndarray) -> np.ndarray:
    """Return the rows one later, as by an index that starts at 1."""
    return np.roll(values, 1, axis=0)


def without_padding_row(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(values[:1]), values[1:]])


def redrawn(values: np.ndarray) -> np.ndarray:
    """Return other values, as a module that nothing was copied to has them."""
    drawn = np.random.default_rng(values.size).uniform(-1, 1, values.shape)
    return np.asarray(drawn / np.sqrt(values.shape[-1]))
