"""A package that prints while it is imported, silenced until it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from frameworks.registry import quiet_stderr


@contextmanager
def quiet_imports_of(package: str) -> Iterator[None]:
    """Hold back what a package prints to stderr when a user's file imports it in the block."""
    finder = _Finder(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of the package with a loader that runs it quietly; None for another module."""
        if name != self._package:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def run_quietly(module: ModuleType) -> None:
                with quiet_stderr():
                    run(module)

            loader.exec_module = run_quietly
        return spec
