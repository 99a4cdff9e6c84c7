"""The tests that need no framework are known by their imports, lie in files of their own, and can import none.

Covers: `tests/without_frameworks.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import without_frameworks
from tests.without_frameworks import FRAMEWORKS, ROOT, mixed_tests, needs_frameworks


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("import torch.nn", True),
        ("def test() -> None:\n    from keras import layers", True),
        ("from importlib import import_module\nimport_module(name)", True),
        ("import frameworks.keras.tensors", True),
        ("import pytest\npytestmark = [pytest.mark.backend, pytest.mark.frameworks]", True),
        ("import pytest\npytestmark = pytest.mark.backend", False),
        ("import numpy, frameworks.keras2\nfrom frameworks import adapt", False),
    ],
)
def test_a_file_that_imports_a_framework_is_known(tmp_path: Path, text: str, needed: bool) -> None:  # noqa: FBT001
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert needs_frameworks(path) is needed


def test_no_file_mixes_tests_with_and_without_a_framework() -> None:
    found = {path.relative_to(ROOT).as_posix(): mixed_tests(path) for path in sorted(ROOT.rglob("test_*.py"))}
    assert {path: tests for path, tests in found.items() if all(tests)} == {}


LAYER = "@pytest.fixture\ndef layer():\n    import keras\n"
WITH, WITHOUT = "def test_with(layer):\n    pass\n", "def test_without(kernel):\n    pass\n"


@pytest.mark.parametrize(
    ("text", "above", "mixed"),
    [
        (LAYER + WITH + WITHOUT, "", True),
        (WITH + WITHOUT, LAYER, True),
        ("def load():\n    import torch\ndef test_with():\n    load()\n" + WITHOUT, "", True),
        (LAYER + WITH, "", False),
        (WITHOUT, LAYER, False),
        ("import keras\n" + WITHOUT + LAYER + WITH, "", False),
        ("pytestmark = pytest.mark.frameworks\n" + WITHOUT + LAYER + WITH, "", False),
        (LAYER + WITH + WITHOUT, "import keras", False),
        ("def test_with():\n    import keras\n    layer = 1\n" + "def test_too():\n    layer = 2\n", LAYER, True),
    ],
)
def test_a_file_that_mixes_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    above: str,
    mixed: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(without_frameworks, "ROOT", tmp_path)
    (tmp_path / "conftest.py").write_text(above)
    (tmp_path / "test_it.py").write_text(text)
    assert all(mixed_tests(tmp_path / "test_it.py")) is mixed


def test_a_run_without_frameworks_fails_at_an_import_and_leaves_files_that_need_one_out(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT.parent))
    pytester.path.joinpath("conftest.py").write_text((ROOT / "conftest.py").read_text(encoding="utf-8"))
    for framework in FRAMEWORKS:
        importing = f"def test_it():\n    __import__({framework!r})\n"
        pytester.path.joinpath(f"test_{framework}.py").write_text(importing)
        pytester.path.joinpath(f"test_out_{framework}.py").write_text(f"import {framework}\n\n{importing}")
    result = pytester.runpytest_subprocess("--without-frameworks", "-pno:cacheprovider", f"--rootdir={pytester.path}")
    result.assert_outcomes(failed=len(FRAMEWORKS))
    result.stdout.fnmatch_lines([f"*import of {FRAMEWORKS[0]} halted*"])
