"""Frameworks are loaded quietly and only when needed, and a missing one is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import frameworks
from frameworks import RecurrentSpec, adapt
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError, MissingFrameworkError, NoCounterpartError
from frameworks.registry import quiet_stderr

ROOT = Path(frameworks.__file__).parents[1]
HEAVY = {"h5py", "jax", "keras", "matplotlib", "tensorflow", "tf_keras", "torch"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import frameworks, compare"),
        ("-c", "import sys, runpy; sys.argv[1:] = ['--help']; runpy.run_module('compare', run_name='__main__')"),
        ("-c", "import frameworks; frameworks.RecurrentSpec('lstm', 3, 4); frameworks.KerasOptions()"),
        ("-c", "import compare; compare.check_parity, compare.returns_map"),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(arguments: tuple[str, ...]) -> None:
    text = (
        "import atexit, json, sys; atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules))))\n" + arguments[1]
    )
    run = python("-c", text)
    assert run.returncode == 0, run.stderr
    assert {name.partition(".")[0] for name in json.loads(run.stderr)}.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("missing", "said"),
    [("torch", ("'pytorch'", "gatewise[torch]")), ("keras", ("'keras'", "gatewise[tensorflow]"))],
)
def test_a_missing_framework_is_named_with_what_to_install(missing: str, said: tuple[str, ...]) -> None:
    text = f"""
import sys
sys.modules[{missing!r}] = None
from frameworks import GatewiseError, RecurrentSpec, build
try:
    build({"pytorch" if missing == "torch" else "keras"!r}, RecurrentSpec("lstm", 3, 4))
except ImportError as error:
    assert isinstance(error, GatewiseError)
    print(type(error).__name__, error)
"""
    run = python("-c", text)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("MissingFrameworkError ")
    for part in (*said, " must be importable, but ", missing):
        assert part in run.stdout


@pytest.mark.parametrize(
    ("native", "said"),
    [
        (None, "NoneType"),
        ("LSTM", "str"),
        (3, "int"),
        ([], "an empty list"),
        ((), "an empty tuple"),
        ([[]], "an empty list"),
        (RecurrentSpec("lstm", 3, 4), "RecurrentSpec"),
        (RecurrentSpec, "the class RecurrentSpec, not an instance"),
    ],
)
def test_anything_but_a_layer_is_refused(native: Any, said: str, refused: Callable[..., Any]) -> None:
    with refused("Keras or PyTorch", said):
        adapt(native)


def test_narrow_errors_are_also_the_built_in_ones() -> None:
    assert issubclass(InvalidValueError, (GatewiseError, ValueError))
    for narrow, built_in in (
        (InvalidValueError, ValueError),
        (InvalidTypeError, TypeError),
        (NoCounterpartError, ValueError),
        (MissingFrameworkError, ImportError),
    ):
        assert issubclass(narrow, GatewiseError)
        assert issubclass(narrow, built_in)


def test_log_lines_are_held_back_and_replayed_on_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"noise\n")
    assert capfd.readouterr().err == ""

    def fail() -> None:
        with quiet_stderr():
            os.write(2, b"the reason\n")
            raise ImportError("broken")

    with pytest.raises(ImportError, match="broken"):
        fail()
    assert capfd.readouterr().err == "the reason\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
