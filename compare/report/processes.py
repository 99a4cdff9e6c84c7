"""What the processes that run experiments are given, and how it is told when one of them fails."""

from __future__ import annotations

import os
from pathlib import Path

from frameworks.errors import GatewiseError


class ReportFailedError(GatewiseError, RuntimeError):
    """An experiment that did not run to its end."""


def settings_of(backend: str) -> dict[str, str]:
    """Give the environment of an experiment: its backend, the CPU, and this very project, however it was started.

    One thread each: on matrices this small torch's others only wait, spinning, and where the cores are taken that wait is most
    of the run.
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
