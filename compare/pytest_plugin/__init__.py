"""The pytest plugin: a fixture for `assert_parity`.

pytest loads it under the name `gatewise_pytest`, because a plugin named `compare.pytest_plugin` would import `compare` at
start: a user's own compare.py would then break pytest, or be hidden by gatewise's. So nothing but pytest is imported until the
fixture is used.
"""

from __future__ import annotations

import math
import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTION = "--gatewise-tolerance"
_INI = "gatewise_tolerance"
_HOME = next(folder for folder in Path(__file__).resolve().parents if (folder / "frameworks" / "spec.py").is_file())
_TOLERANCE = pytest.StashKey[float | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the tolerance, as an option and as an ini value."""
    text = "tolerance of the fixture assert_parity where a test gives none (default: by dtype)"
    parser.getgroup("gatewise").addoption(_OPTION, metavar="TOLERANCE", help=text)
    parser.addini(_INI, text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a tolerance that is none, before any test runs."""
    config.stash[_TOLERANCE] = _tolerance(config)


@pytest.fixture(scope="session")
def assert_parity(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Give `compare.assert_parity`, with the tolerance of the command line or the ini file unless a call gives its own."""
    for package in ("frameworks", "compare"):
        _refuse_hidden(package)
    function: Callable[..., None] = import_module("compare").assert_parity
    tolerance = pytestconfig.stash[_TOLERANCE]
    return function if tolerance is None else partial(function, tolerance=tolerance)


def _tolerance(config: pytest.Config) -> float | None:
    given = config.getoption(_OPTION)
    name, text = (_OPTION, given) if given is not None else (_INI, config.getini(_INI))
    if name == _INI and not text:
        return None
    try:
        tolerance = float(text)
    except ValueError:
        tolerance = math.nan
    if not 0 < tolerance < math.inf:
        raise pytest.UsageError(
            f"{name} must be a positive finite number, but is {text!r}. Give one such as 1e-5, or leave it out."
        )
    return tolerance


def _refuse_hidden(package: str) -> None:
    """Fail when importing `package` would give something else than gatewise's own."""
    found = _location(package)
    if found is None or found.resolve() not in (_HOME / package, _HOME / package / "__init__.py"):
        message = (
            f"{package} must be gatewise's own package, but is {found or 'not found'}. Rename that file or folder, or, where "
            "no test imports it, keep its folder off sys.path: run `pytest`, not `python -m pytest`, with "
            "--import-mode=importlib and without a pythonpath entry for that folder."
        )
        pytest.fail(message, pytrace=False)


def _location(package: str) -> Path | None:
    """Find the file or folder that the import of `package` gives, without importing it."""
    module = sys.modules.get(package)
    origin = getattr(module, "__file__", None)
    folders = list(getattr(module, "__path__", ()))
    if module is None and (spec := find_spec(package)) is not None:
        origin, folders = spec.origin, list(spec.submodule_search_locations or ())
    places = [place for place in (origin, *folders) if place is not None]
    return Path(places[0]) if places else None
