"""A framework is loaded quietly, alone, and before a wrong argument is looked at.

Covers: `frameworks/registry.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from frameworks import RecurrentSpec, build, convert
from frameworks.registry import load
from tests.frameworks.test_registry import HEAVY, python

pytestmark = pytest.mark.frameworks


def test_torch_layers_need_only_torch_and_a_missing_framework_is_named() -> None:
    text = """
import json, sys, torch
from frameworks import convert
convert(torch.nn.LSTM(3, 4), to="pytorch")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
sys.modules["keras"] = None
try:
    convert(torch.nn.GRU(3, 4), to="keras")
except ImportError as error:
    print(error)
"""
    run = python("-c", text)
    assert run.returncode == 0, run.stderr
    loaded, message = run.stdout.splitlines()
    assert set(json.loads(loaded)).isdisjoint(HEAVY - {"torch"})
    assert "gatewise[tensorflow]" in message


@pytest.mark.parametrize("name", ["jax", "Keras", "Torch", "tensorflow", "", None, ["keras"]])
def test_an_unknown_framework_is_refused(name: Any, refused: Callable[..., Any]) -> None:
    with refused("'keras' or 'pytorch'", repr(name)):
        build(name, RecurrentSpec("lstm", 3, 4))
    with refused("'keras' or 'pytorch'", repr(name)):
        load(name)
    torch = import_module("torch")
    with refused("'keras' or 'pytorch'", repr(name)):
        convert(torch.nn.LSTM(3, 4), to=name)


def test_build_accepts_only_specs(refused: Callable[..., Any]) -> None:
    with refused("spec", "str"):
        build("pytorch", "lstm")  # type: ignore[arg-type]


def test_the_frameworks_log_lines_stay_out_of_sight() -> None:
    run = python("-c", "from frameworks import build, RecurrentSpec; build('keras', RecurrentSpec('gru', 3, 4)); print('done')")
    assert (run.stdout, run.stderr) == ("done\n", "")


@pytest.mark.parametrize("silence", ["import sys; sys.stderr = None", "import os; os.close(2)"])
def test_a_process_without_a_standard_error_can_load_a_framework(silence: str) -> None:
    done = python("-c", f"{silence}\nfrom frameworks.registry import load\nprint(load('pytorch').__name__)")
    assert done.stdout.strip() == "frameworks.pytorch"
