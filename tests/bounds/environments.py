"""The environments at the edges of what pyproject.toml declares, and the tests that are run in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Environment:
    """An environment, and what is run in it.

    Args:
        name: what it is called.
        python: its version, as "3.10".
        extras: of gatewise, that are installed.
        runs: the arguments of each call of pytest.
        lowest: whether what is required is installed in the lowest version that is declared, not in the newest.
        settings: environment variables.
    """

    name: str
    python: str
    extras: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    lowest: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)


KERAS_TESTS = (
    *("tests/frameworks/test_adapter.py", "tests/frameworks/test_counterparts.py", "tests/frameworks/keras"),
    *("-k", "keras and not (torch or tf_keras or keras_2 or looking or convert or seed_repeats or only_keras or time_first)"),
)
"""What Keras alone is enough for: no torch, no Keras 2."""
TORCH_TESTS = (
    *("tests/frameworks/pytorch", "tests/frameworks/files/torch/test_files.py", "tests/frameworks/files/torch/test_pickles.py"),
    "tests/frameworks/files/onnx/test_files.py",
)
BOTH_TESTS = ("tests/frameworks/test_copying.py", "-m", "backend")

IN_CI = (
    Environment(
        "the core and the files without a framework",
        "3.10",
        ("files", "completion"),
        (
            (
                *("--without-frameworks", "tests/frameworks", "tests/compare/parity", "tests/compare/checkpoints"),
                "tests/compare/commands/test_completion.py",
            ),
        ),
    ),
    Environment(
        "Keras on TensorFlow", "3.11", ("files", "tensorflow"), (KERAS_TESTS,), settings={"KERAS_BACKEND": "tensorflow"}
    ),
)
BEYOND = (
    Environment(
        "Keras and torch",
        "3.10",
        ("files", "tensorflow", "torch"),
        (KERAS_TESTS, TORCH_TESTS, BOTH_TESTS),
        settings={"KERAS_BACKEND": "tensorflow"},
    ),
    *(
        Environment(
            f"Keras on torch alone, Python {python}",
            python,
            ("files", "keras-torch"),
            (KERAS_TESTS, TORCH_TESTS, BOTH_TESTS),
            lowest=False,
            settings={"KERAS_BACKEND": "torch"},
        )
        for python in ("3.12", "3.13", "3.14")
    ),
)
