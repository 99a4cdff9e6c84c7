"""The environment of the processes that run experiments, and the error for one that fails."""

from __future__ import annotations

import os
from pathlib import Path

from frameworks.errors import GatewiseError


class ReportFailedError(GatewiseError, RuntimeError):
    """An experiment that did not finish."""


def settings_of(backend: str) -> dict[str, str]:
    """Return the environment variables of an experiment: its backend, the CPU alone, and the path of this very project.

    One thread each: on matrices this small torch's other threads only spin, and on busy cores that is most of the run.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": paths,
    }
