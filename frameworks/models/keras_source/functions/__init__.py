"""The functions of torch, each with what the source writes for it; one table by name."""

from __future__ import annotations

from collections.abc import Callable

from frameworks.models.keras_source.functions import (
    creating,
    filling,
    indexing,
    operators,
    pointwise,
    products,
    reducing,
    shaping,
)
from frameworks.models.keras_source.scope import Scope
from frameworks.models.tracing.steps import Function

FUNCTIONS: dict[str, Callable[[Scope, Function], None]] = {
    name: writer
    for module in (pointwise, operators, reducing, shaping, filling, indexing, creating, products)
    for name, writer in module.WRITERS.items()
}
