"""What "the same" means between frameworks, how it is measured, and how it is reported.

The public names load their modules when first used, so that importing `compare` imports nothing else.
"""

from __future__ import annotations

from frameworks.lazy_imports import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from compare.parity.checking import ParityResult, assert_parity, check_parity
    from compare.returns.mapping import ReturnsMap, returns_map
    from compare.training import Checkpoint, TrainingCheckpoint, Trajectory, compare_training

__all__ = [
    "Checkpoint",
    "ParityResult",
    "ReturnsMap",
    "TrainingCheckpoint",
    "Trajectory",
    "assert_parity",
    "check_parity",
    "compare_training",
    "returns_map",
]

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "ParityResult": "compare.parity.checking",
        "assert_parity": "compare.parity.checking",
        "check_parity": "compare.parity.checking",
        "ReturnsMap": "compare.returns.mapping",
        "returns_map": "compare.returns.mapping",
        "Checkpoint": "compare.training",
        "TrainingCheckpoint": "compare.training",
        "Trajectory": "compare.training",
        "compare_training": "compare.training",
    },
)
