"""Checks that `frameworks` and `compare` are gatewise's own, because a user may have files and folders with these names.

This module imports only the standard library, because the packages that it checks may not be gatewise's.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("frameworks", "compare")
_PLACES = Path(__file__).resolve().parents
HOME = next((folder for folder in _PLACES if (folder / "frameworks" / "spec.py").is_file()), _PLACES[1])
"""The folder that contains gatewise's packages: a clone, or the folder of installed packages."""


def require_own() -> None:
    """Import `frameworks` and `compare`, so that no other module can be imported under their names later.

    Raises:
        ImportError: if either is not gatewise's own, with its path and a remedy.

    Warns:
        UserWarning: for each module of the user that is hidden by gatewise's package of the same name.
    """
    if hiding := find_hiding():
        raise ImportError(hiding)
    for package in PACKAGES:
        __import__(package)
    for hidden in find_hidden():
        warnings.warn(hidden, stacklevel=3)


def find_hiding() -> str | None:
    """Return a message about a module that hides one of gatewise's packages, or None, without importing anything."""
    for package in PACKAGES:
        if not _is_ours(package):
            place = locate(package)
            return f"{package} must be gatewise's own package, but is {place or 'not found'}. {_remedy(place)}"
    return None


def find_hidden() -> Iterator[str]:
    """Yield a message for each module on `sys.path` that is hidden by gatewise's package of the same name."""
    for package in filter(_is_ours, PACKAGES):
        for place in dict.fromkeys(_candidates(package)):
            yield f"{place} must have a name of its own, but is hidden by gatewise's package {package}. Rename it."


def locate(package: str) -> Path | None:
    """Return the file or folder that `import package` would load, or None, without importing it."""
    module = sys.modules.get(package)
    origin = getattr(module, "__file__", None)
    folders = list(getattr(module, "__path__", ()))
    if module is None and (spec := find_spec(package)) is not None:
        origin, folders = spec.origin, list(spec.submodule_search_locations or ())
    places = [place for place in (origin, *folders) if place is not None]
    return Path(places[0]) if places else None


def _is_ours(package: str) -> bool:
    place = locate(package)
    return place is not None and place.resolve() in (HOME / package, HOME / package / "__init__.py")


def _candidates(package: str) -> Iterator[Path]:
    """Yield the paths of the user's modules with that name: a file, a package, or a folder that contains Python files."""
    for entry in map(Path, sys.path):
        if _has_gatewise(entry):
            continue
        folder, file = entry / package, entry / f"{package}.py"
        if file.is_file():
            yield file.absolute()
        if any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/*.py")):
            yield folder.absolute()


def _has_gatewise(folder: Path) -> bool:
    return (folder / "frameworks" / "spec.py").is_file()


def _remedy(place: Path | None) -> str:
    if place is None:
        return "Install gatewise again."
    home = (place.parent if place.name == "__init__.py" else place).resolve().parent
    if _has_gatewise(home):
        return f"It belongs to another gatewise, in {home}: install that one, or start Python elsewhere."
    return "Rename it."
