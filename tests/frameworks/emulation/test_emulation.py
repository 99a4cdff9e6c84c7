"""Importing an emulation loads the framework that it is written in, and no other.

Covers: `frameworks/emulation`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[3]
HEAVY = {"keras", "tensorflow", "tf_keras", "torch", "jax", "h5py"}


USED = """
import frameworks.keras_in_torch.initialisers, torch
from frameworks.emulation.pytorch import KerasLSTM
KerasLSTM(4)(torch.zeros(1, 2, 3))
"""


@pytest.mark.parametrize(("statement", "loaded"), [("from frameworks import emulate", set()), (USED, {"torch"})])
def test_only_the_framework_that_is_used_is_loaded(statement: str, loaded: set[str]) -> None:
    text = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    assert HEAVY & set(json.loads(run.stdout)) == loaded
