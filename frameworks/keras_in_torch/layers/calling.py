"""Calling Keras's layers written in torch on NumPy arrays without changing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from frameworks.adapter import random_call
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.structure import require_holder

Array = npt.NDArray[Any]


def call_whole(native: Any, inputs: Array, initial_state: Any, mask: Any, *, training: bool) -> Any:
    """Call a layer with its own flags, see `frameworks.registry.call_whole`."""
    native = require_holder(native)
    device = next(native.parameters()).device
    if training and any(slot.cell.dropout or slot.cell.recurrent_dropout for slot in native.slots):
        raise random_call(type(native).__name__)
    states, steps = (_to_tensors(nested, device) for nested in (initial_state, mask))
    with torch.no_grad(), _untouched(native):
        return _to_numpy(native(_to_tensors(inputs, device), initial_state=states, mask=steps, training=training))


@contextmanager
def _untouched(layer: KerasLayer) -> Iterator[None]:
    """Restore the stored states of a stateful layer afterwards."""
    kept = None if layer.states is None else _cloned(layer.states)
    try:
        yield
    finally:
        layer.forget_states()
        if kept is not None:
            layer.store_states(kept)


def _cloned(nested: Any) -> Any:
    return [_cloned(each) for each in nested] if isinstance(nested, list) else nested.clone()


def _to_tensors(nested: Any, device: torch.device) -> Any:
    if nested is None:
        return None
    if isinstance(nested, (tuple, list)):
        return [_to_tensors(each, device) for each in nested]
    return torch.tensor(np.array(nested), device=device)


def _to_numpy(nested: Any) -> Any:
    if isinstance(nested, (tuple, list)):
        return type(nested)(_to_numpy(each) for each in nested)
    return nested.cpu().numpy()
