"""What "the same" means between frameworks, how it is measured, and how it is reported.

The public names load their modules when first used, so that importing `compare` imports nothing else.
"""

from __future__ import annotations

from frameworks.lazy_imports import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from compare.diagnosis.diagnosing import diagnose
    from compare.diagnosis.mistakes import MISTAKES
    from compare.diagnosis.result import Diagnosis, Finding
    from compare.models.comparing import assert_models_agree, compare_models
    from compare.models.comparison import ModelComparison
    from compare.parity.checking import ParityResult, assert_parity, check_parity
    from compare.returns.mapping import ReturnsMap, returns_map
    from compare.training import Checkpoint, TrainingCheckpoint, Trajectory, compare_training

__all__ = [
    "MISTAKES",
    "Checkpoint",
    "Diagnosis",
    "Finding",
    "ModelComparison",
    "ParityResult",
    "ReturnsMap",
    "TrainingCheckpoint",
    "Trajectory",
    "assert_models_agree",
    "assert_parity",
    "check_parity",
    "compare_models",
    "compare_training",
    "diagnose",
    "returns_map",
]

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "MISTAKES": "compare.diagnosis.mistakes",
        "Diagnosis": "compare.diagnosis.result",
        "Finding": "compare.diagnosis.result",
        "diagnose": "compare.diagnosis.diagnosing",
        "ModelComparison": "compare.models.comparison",
        "assert_models_agree": "compare.models.comparing",
        "compare_models": "compare.models.comparing",
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
