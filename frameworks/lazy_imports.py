"""Public names that load their modules when first used, so that importing a package imports nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

TYPE_CHECKING = False
"""What `typing` has under this name, whose import would take a third of the time of `gatewise --help`."""
if TYPE_CHECKING:
    from typing import Any


def lazy_names(
    namespace: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    Args:
        namespace: the package's `globals()`, which loaded names are added to.
        modules: the module that defines each public name.
    """

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value: object = getattr(import_module(modules[name]), name)
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *modules})

    return load, names
