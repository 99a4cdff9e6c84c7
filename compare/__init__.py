"""What "the same" means between frameworks, how it is measured, and how it is told.

The public names load their modules when first used, so that importing `compare` imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compare.parity import ParityResult, assert_parity, check_parity
    from compare.returns import ReturnsMap, returns_map
    from compare.training import Checkpoint, Trajectory, compare_training

__all__ = [
    "Checkpoint",
    "ParityResult",
    "ReturnsMap",
    "Trajectory",
    "assert_parity",
    "check_parity",
    "compare_training",
    "returns_map",
]

_MODULES = {
    "ParityResult": "compare.parity",
    "assert_parity": "compare.parity",
    "check_parity": "compare.parity",
    "ReturnsMap": "compare.returns",
    "returns_map": "compare.returns",
    "Checkpoint": "compare.training",
    "Trajectory": "compare.training",
    "compare_training": "compare.training",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
