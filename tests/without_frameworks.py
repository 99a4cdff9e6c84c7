"""The tests that need no framework: `pytest --without-frameworks` runs them alone.

A file is left out if it imports a framework, a module of ours that does, or anything by `import_module`, and so is a file
under a conftest.py that imports a framework when it is loaded. A file that needs a framework all the same has
`pytestmark = pytest.mark.frameworks`: these tests run as if none were installed, so that a missing mark is a failure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

FRAMEWORKS = ("jax", "keras", "matplotlib", "tensorflow", "tf_keras", "torch")
IMPORTING = (
    *FRAMEWORKS,
    *("frameworks.keras", "frameworks.pytorch", "frameworks.keras_in_torch", "frameworks.torch_in_keras"),
    *("compare.report.pages", "compare.report.studies.translation"),
)
"""The frameworks, and the packages of ours that import them."""
ROOT = Path(__file__).parent


def needs_frameworks(path: Path) -> bool:
    """Whether a test file or a folder imports a framework or says that it needs one, or a conftest.py that it is under does."""
    return _imports_one(ast.walk(_parse(path))) or _whole_file_needs_one(path)


def mixed_tests(path: Path) -> tuple[set[str], set[str]]:
    """Return the tests of a file that import a framework, and those that do not; both are empty if the whole file needs one."""
    if _whole_file_needs_one(path) or _imports_one(_at_import(_parse(path).body)):
        return set(), set()
    tests = {name for name in _definitions(path) if name.startswith("test_")}
    importing = {name for name in tests if any(_imports_one(ast.walk(node)) for node in _used_by(path, name))}
    return importing, tests - importing


def _whole_file_needs_one(path: Path) -> bool:
    marks = (
        node.value
        for node in _parse(path).body
        if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0])
    )
    marked = any(isinstance(node, ast.Attribute) and node.attr == "frameworks" for mark in marks for node in ast.walk(mark))
    return marked or any(_imports_one(_parse(conftest).body) for conftest in _conftests(path))


def _conftests(path: Path) -> list[Path]:
    """Return the conftest.py files that a file is under, the nearest last."""
    folders = [folder for folder in (path, *path.parents) if folder.is_relative_to(ROOT)]
    return [folder / "conftest.py" for folder in reversed(folders)]


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8") if path.suffix == ".py" and path.is_file() else "")


@cache
def _definitions(path: Path) -> dict[str, ast.AST]:
    """Return what a module defines, by name."""
    body = _parse(path).body
    assigned = {
        name.id: node
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    return assigned | {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _used_by(path: Path, test: str) -> Iterator[ast.AST]:
    """Yield a test and what it uses: by name in its own file, as fixtures in those of the folders above too."""
    todo = [(path, test)]
    for file, name in todo:  # which grows
        yield _definitions(file)[name]
        for node in ast.walk(_definitions(file)[name]):
            used = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            homes = (file, *reversed(_conftests(path))) if isinstance(node, ast.arg) else (file,)
            todo += [(home, used) for home in homes if used in _definitions(home) and (home, used) not in todo][:1]


def _at_import(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported: all but the bodies of functions and classes."""
    for node in nodes:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            yield from _at_import(ast.iter_child_nodes(node))


def _imports_one(nodes: Iterable[ast.AST]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for name in _imported(nodes) for package in IMPORTING)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
        elif isinstance(node, ast.Name) and node.id == "import_module":
            yield FRAMEWORKS[0]  # one of them, which is not known
