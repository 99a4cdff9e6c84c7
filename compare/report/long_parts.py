"""The parts of the long runs, as data: each experiment, its arguments, and the number of steps on its progress bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from compare.report.environment import read_environment


@dataclass(frozen=True)
class Part:
    """A long experiment with its arguments.

    Args:
        module: the module whose `run(progress, checkpoint, **arguments)` resumes from the checkpoint and returns Results.
        steps: the number of steps that `progress(done, steps)` counts up to.
        arguments: the arguments, of JSON types.
        backend: Keras's backend.
    """

    module: str
    steps: int
    arguments: Mapping[str, Any]
    backend: str = "tensorflow"

    @property
    def settings(self) -> str:
        """Everything that the results depend on. An unfinished run with other settings is not resumed."""
        versions = {name: version for name, version in read_environment().items() if name != "cores"}
        return f"{self.module} {dict(self.arguments)} on {self.backend}, {self.steps} steps, {versions}"


_EXPERIMENTS = "compare.report.pages.translation.experiment"


def _translation(cell: str, dtype: str, steps: int) -> Part:
    return Part(f"{_EXPERIMENTS}.long_training", steps, {"cell": cell, "dtype": dtype, "steps": steps})


def _defaults(side: str, *own: str) -> Part:
    return Part(f"{_EXPERIMENTS}.long_defaults", 600, {"side": side, "own": own, "steps": 600, "seeds": 3})


_DEFAULTS = ("initialisation", "rule", "bias", "learning_rate", "dropout")
"""The names in compare.report.studies.translation.defaults; pages read this module, so it must not import a study."""

PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "translation-gru-float32": _translation("gru", "float32", 3000),
        "translation-lstm-float32": _translation("lstm", "float32", 3000),
        "defaults-fit": _defaults("fit"),
        "defaults-keras": _defaults("keras"),
        "defaults-none": _defaults("pytorch"),
        **{f"defaults-{name}": _defaults("pytorch", name) for name in _DEFAULTS},
        "defaults-all": _defaults("pytorch", *_DEFAULTS),
        "translation-gru-float64": _translation("gru", "float64", 500),
        "translation-lstm-float64": _translation("lstm", "float64", 500),
        "real-models": Part("compare.report.pages.real_models.experiment.original_files", 11, {}),
    }
)
"""The parts by the name of their results, longest first, so that two processes side by side finish at about the same time."""
