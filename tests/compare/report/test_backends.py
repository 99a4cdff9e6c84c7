"""Parity holds on a further Keras backend too, where it is installed.

Covers: `compare/parity`, `compare/report/pages/parity`, `compare/report/pages/training`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[3]
SCRIPT = """
from compare.parity.cases import GRID
from compare.report.pages.parity.experiment import _run_case

# Without JAX_ENABLE_X64, as by default: with it Keras 3.15 fails by itself on simple RNNs, whose matmul changes the dtype.
cases = [case for case in GRID if case.spec.dtype == "float32"]
verdicts = [_run_case(case, seed)["verdict"].value for seed, case in enumerate(cases)]
print(len(verdicts), set(verdicts))
"""
GRADIENTS = """
from compare.report.pages.training.experiment.gradients import _run_case, make_cases

cases = [case for case in make_cases() if case.spec.dtype == "float32"]
verdicts = [_run_case(case, seed)["verdict"].value for seed, case in enumerate(cases)]
print(len(verdicts), set(verdicts))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize(("script", "count"), [(SCRIPT, 16), (GRADIENTS, 13)], ids=["results", "gradients"])
def test_the_cases_pass_on_jax(script: str, count: int) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{count} {{'passed'}}"
