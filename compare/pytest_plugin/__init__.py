"""The pytest plugin: fixtures for `assert_parity` and `assert_models_agree`.

pytest loads it under the name `gatewise_pytest`. A plugin named `compare.pytest_plugin` would import `compare` when pytest
starts, so that a user's own compare.py would break pytest or be hidden by gatewise's. Therefore nothing but pytest is imported
until a fixture is used or a test fails.
"""

from __future__ import annotations

import math
import sys
import warnings
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTION = "--gatewise-tolerance"
_INI = "gatewise_tolerance"
_TOLERANCE = pytest.StashKey[float | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the tolerance, as an option and as an ini value."""
    text = "tolerance of assert_parity and assert_models_agree, unless a test passes its own (default: by dtype)"
    parser.getgroup("gatewise").addoption(_OPTION, metavar="TOLERANCE", help=text)
    parser.addini(_INI, text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Reject an invalid tolerance before any test runs."""
    config.stash[_TOLERANCE] = _tolerance(config)


@pytest.fixture(scope="session")
def assert_parity(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Return `gatewise.assert_parity`, with the tolerance from the command line or the ini file as its default."""
    return _function("assert_parity", pytestconfig)


@pytest.fixture(scope="session")
def assert_models_agree(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Return `gatewise.assert_models_agree`, with the same default."""
    return _function("assert_models_agree", pytestconfig)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """After a failure, list the user's modules that gatewise's packages hide, because they may be the cause."""
    failed = exitstatus in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    if not failed or "gatewise" in sys.modules or not _is_ours(_place_of_gatewise()):
        return  # if gatewise was imported, it has already warned
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for hidden in import_module("gatewise.ownership").find_hidden():
            terminalreporter.write_line(f"gatewise: {hidden}")


def _function(name: str, config: pytest.Config) -> Callable[..., None]:
    if hiding := _find_hiding():
        pytest.fail(hiding, pytrace=False)
    function: Callable[..., None] = getattr(import_module("gatewise"), name)
    tolerance = config.stash[_TOLERANCE]
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
            f"{name} must be a positive finite number, but is {text!r}. Pass one such as 1e-5, or leave it out."
        )
    return tolerance


def _find_hiding() -> str | None:
    """Import gatewise, and return a message if one of the user's modules hides it or one of its packages."""
    place = _place_of_gatewise()
    if not _is_ours(place):
        return f"gatewise must be the installed package, but is {place}. Rename it."
    try:
        import_module("gatewise")
    except ImportError as error:
        return str(error)
    return None


def _place_of_gatewise() -> Path | None:
    """Return the file, or the folder without `__init__.py`, that `import gatewise` would load, without importing it."""
    spec = find_spec("gatewise")
    places = (spec.origin, *(spec.submodule_search_locations or ())) if spec else ()
    return next((Path(place) for place in places if place), None)


def _is_ours(place: Path | None) -> bool:
    return place is not None and place.with_name("ownership.py").is_file()
