"""Functions by name: MODULE:FUNCTION, or FILE.py:FUNCTION."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load_function(name: str) -> Callable[..., Any]:
    """Return the function of a module or a file, which is imported.

    Raises:
        ImportError: if there is no such module or file.
        AttributeError: if it has no such function.
    """
    place, _, function = name.rpartition(":")
    module = _of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    found: Callable[..., Any] = getattr(module, function)
    return found


def _of_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        message = f"{path} is no Python file"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
