"""The structure of the project: imports run one way and have no cycles, and every large module or function has a reason.

Covers: `frameworks`, `compare`.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path.relative_to(ROOT) for package in ("compare", "frameworks") for path in (ROOT / package).rglob("*.py"))
HEAVY = {"h5py", "jax", "keras", "matplotlib", "tensorflow", "tf_keras", "torch"}

WRITTEN_IN = {
    "frameworks/keras": "keras",
    "frameworks/pytorch": "torch",
    "frameworks/keras_in_torch": "torch",
    "frameworks/torch_in_keras": "keras",
    "frameworks/files/building/keras.py": "keras",
    "frameworks/files/building/pytorch.py": "torch",
    "frameworks/files/writing/keras": "keras",
    "frameworks/models/keras": "keras",
    "frameworks/models/tracing": "torch",
    "frameworks/files/writing/keras/variables.py": "h5py",
    "frameworks/files/writing/keras/weights_h5.py": "h5py",
    "frameworks/files/untrusted/h5_worker.py": "h5py",
}
"""What a folder or module may import when it is loaded; everything else in `frameworks` imports NumPy alone."""

LONG_MODULES: dict[str, str] = {}
"""Modules of more than 300 lines, and why."""

LONG_FUNCTIONS = {
    "compare/training/comparing.py:compare_training": "eleven arguments, and a line each",
}
"""Functions of more than 45 lines without their docstrings, and why."""


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parts[0] == "frameworks"], ids=str)
def test_a_framework_is_imported_only_where_its_folder_says_so(path: Path) -> None:
    allowed = {package for place, package in WRITTEN_IN.items() if path.is_relative_to(place)}
    assert set(imports_of(path)) & HEAVY <= allowed


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


BROKEN = {
    "frameworks/spec.py": ("import compare.parity.difference", "imports run one way"),
    "frameworks/kinds/records.py": ("import frameworks.files.stored", "kinds know neither files nor models"),
    "frameworks/errors.py": ("import frameworks.registry", "no import leads back"),
    "compare/report/pages/masking/page.py": ("import compare.report.pages.masking.experiment.flow", "imports no experiment"),
}


@pytest.mark.parametrize("path", BROKEN)
def test_a_forbidden_import_fails_the_lint(path: str, tmp_path: Path) -> None:
    for package in ("compare", "frameworks"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "data"))
    statement, contract = BROKEN[path]
    with (tmp_path / path).open("a") as file:
        file.write(f"\n{statement}\n")
    run = lint_imports(tmp_path)
    assert run.returncode == 1
    assert any(contract in line and line.endswith("BROKEN") for line in run.stdout.splitlines()), run.stdout


def lengths_of_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with its lines, without its docstring."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if ast.get_docstring(node) is not None else None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if first is not None else 0
            yield f"{path}:{node.name}", (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_every_long_module_has_its_reason() -> None:
    long = {str(path) for path in SOURCES if len((ROOT / path).read_text().splitlines()) > 300}
    assert long == set(LONG_MODULES)


def test_every_long_function_has_its_reason() -> None:
    long = {name for path in SOURCES for name, lines in lengths_of_functions(path) if lines > 45}
    assert long == set(LONG_FUNCTIONS)


@pytest.mark.parametrize("folder", ["compare", "frameworks/files"])
def test_a_large_folder_has_at_most_twelve_entries(folder: str) -> None:
    doors = {path.name for path in (ROOT / folder).iterdir()} - {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
    assert len(doors) <= 12, sorted(doors)


def nameless(paths: Iterable[Path]) -> list[str]:
    """Return the paths with a part whose name does not say what it owns."""
    return [str(path) for path in paths if {"utils", "helpers", "common", "misc", "base"} & {*path.parts, path.stem}]


def test_no_folder_and_no_module_has_a_name_that_says_nothing() -> None:
    assert nameless([Path("compare/common/calls.py"), Path("frameworks/utils.py"), Path("compare/cli.py")]) == [
        "compare/common/calls.py",
        "frameworks/utils.py",
    ]
    assert nameless(SOURCES) == []


TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
COVERS = re.compile(r"^Covers: (`[^`]+`(?:,\s`[^`]+`)*)\.$", re.MULTILINE)


def covered_by(path: Path, text: str) -> list[str]:
    """Return what a test file is about: the module or folder that its own path mirrors, or those that its docstring names."""
    mirrored = path.relative_to("tests").with_name(path.name.removeprefix("test_"))
    if named := COVERS.search(ast.get_docstring(ast.parse(text)) or ""):
        return re.findall(r"`([^`]+)`", named[1])
    return [str(each) for each in (mirrored, mirrored.with_suffix("")) if (ROOT / each).exists()]


@pytest.mark.parametrize("path", TESTS, ids=str)
def test_a_test_file_mirrors_a_module_or_names_what_it_covers(path: Path) -> None:
    covered = covered_by(path, (ROOT / path).read_text())
    assert covered
    assert [each for each in covered if not (ROOT / each).exists()] == []


def test_a_theme_that_names_no_module_is_noticed() -> None:
    path = Path("tests/frameworks/test_of_a_theme.py")
    assert covered_by(path, '"""A theme."""') == []
    assert covered_by(path, '"""A theme.\n\nCovers: `frameworks/gone.py`,\n`frameworks/spec.py`.\n"""') == [
        "frameworks/gone.py",
        "frameworks/spec.py",
    ]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_path_on_a_page_leads_somewhere(page: str) -> None:
    paths = re.findall(r"`((?:compare|frameworks|tests|reports)/[\w./-]*)`", (ROOT / page).read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []
