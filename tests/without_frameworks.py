"""The tests that need no framework: `pytest --without-frameworks` runs them alone.

A file is left out if it imports a framework, a module of ours that does, or anything by `import_module`, and so is a file
under a conftest.py that imports a framework when it is loaded. What needs a framework all the same is marked `frameworks`:
where none is installed, a missing mark is a failure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

IMPORTING = (
    *("jax", "keras", "matplotlib", "tensorflow", "tf_keras", "torch"),
    *("frameworks.keras", "frameworks.pytorch", "frameworks.keras_in_torch", "frameworks.torch_in_keras"),
    "compare.report.pages",
)
"""The frameworks, and the packages of ours that import them."""
ROOT = Path(__file__).parent


def needs_frameworks(path: Path) -> bool:
    """Whether a test file or a folder imports a framework, or a conftest.py that it is under does."""
    nodes = list(ast.walk(_parse(path)))
    by_name = any(isinstance(node, ast.Name) and node.id == "import_module" for node in nodes)
    conftests = [_parse(folder / "conftest.py") for folder in (path, *path.parents) if folder.is_relative_to(ROOT)]
    return by_name or _import_one(nodes) or any(_import_one(conftest.body) for conftest in conftests)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8") if path.suffix == ".py" and path.is_file() else "")


def _import_one(nodes: Iterable[ast.AST]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for name in _imported(nodes) for package in IMPORTING)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
