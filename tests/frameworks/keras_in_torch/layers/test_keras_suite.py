"""Keras's own tests of its recurrent layers hold for the emulations: every call in them is repeated on the emulation.

Covers: `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

SCRIPT = Path(__file__).with_name("keras_suite.py")
ROOT = Path(__file__).parents[4]
LEAST = 95
"""Slightly fewer calls than Keras 3.15's tests make of built-in layers, to notice a version that ships fewer tests."""


def test_every_call_of_keras_s_own_tests_agrees_or_is_refused_by_name(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(results.read_text(encoding="utf-8"))
    suite, control = counts["suite"], counts["control"]
    assert suite["status"] == 0, done.stdout  # Keras's tests themselves
    assert not suite["wrong"]
    assert suite["agreed"] == suite["compared"] >= LEAST
    for reason in suite["reasons"]:
        assert "a custom cell, whose equations" in reason or "must have one dtype" in reason, reason
    assert sum(suite["reasons"].values()) == suite["refused"]
    # Negative control: with other weights in the emulation, the same comparison fails.
    assert len(control["wrong"]) == control["compared"] > 5
