"""`import gatewise`: the public names of `frameworks`, its `files` and `models`, and `compare`, each loaded when first used.

Setuptools maps this folder in as the package `gatewise`.

Example:
    >>> import gatewise
    >>> gatewise.RecurrentSpec("gru", input_size=3, hidden_size=5).cell
    'gru'
"""

from __future__ import annotations

from .starting import end_on_interrupts, started_as_command

if started_as_command():
    end_on_interrupts()

from functools import cache
from importlib import import_module

from .ownership import require_own

TYPE_CHECKING = False  # as in frameworks.lazy_imports
if TYPE_CHECKING:
    from frameworks.files import *  # noqa: F403  each package lists its names once, in `__all__`

    # isort: split
    from compare import *  # type: ignore[assignment] # noqa: F403  two are called Checkpoint
    from frameworks import *  # noqa: F403
    from frameworks import __version__ as __version__
    from frameworks.files import Checkpoint as Checkpoint
    from frameworks.models import *  # noqa: F403

PACKAGES = ("frameworks.files", "frameworks.models", "frameworks", "compare")
"""The packages whose public names are here. If two of them define a name, the first one's is used."""

if not started_as_command():  # the command reports the problem itself
    require_own()


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name == "__all__":
            return sorted(_homes())
        if name not in _homes():
            raise AttributeError(f"module 'gatewise' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_homes()[name]), name)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})


@cache
def _homes() -> dict[str, str]:
    """Return the package of each public name."""
    names = {name: package for package in reversed(PACKAGES) for name in import_module(package).__all__}
    return {**names, "__version__": "frameworks"}
