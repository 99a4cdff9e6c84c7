"""Activations that Keras 3 does not have by name: functions to hand to its layers, saved and loaded by a registered name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="gatewise")  # type: ignore[untyped-decorator]
def keras2_hard_sigmoid(x: Any) -> Any:
    """Compute what Keras called hard_sigmoid before Keras 3: 0.2 x + 0.5, clipped to [0, 1]."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


ADDED: Mapping[str, Callable[[Any], Any]] = MappingProxyType({"keras2_hard_sigmoid": keras2_hard_sigmoid})
"""By the names that they have in `frameworks.activations`."""
