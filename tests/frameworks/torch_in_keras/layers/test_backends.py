"""The promises of these tests also hold on JAX, if it is installed.

Covers: `frameworks/torch_in_keras/layers`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# JAX compiles every loop that it meets: so only a selection of tests runs, and none that draws many layers.
CHOICE = "ragged or nan or lengths_mean or fit_follows or others_changes or step_is or fresh or xla"


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_a_selection_of_these_tests_passes_on_jax() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "backend", "-k", CHOICE, str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout
