"""A source as a live model, without files."""

from __future__ import annotations

import linecache
from threading import Lock
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from frameworks.errors import MissingFrameworkError
from frameworks.models.source import Source

_MODULES: WeakValueDictionary[tuple[str, str], ModuleType] = WeakValueDictionary()
"""The modules of the models that are in use, by the name and the text of each."""

_BUILDING = Lock()


def built(source: Source) -> Any:
    """Return the model of a complete source, with its weights, in inference mode.

    It can be copied and pickled: a pickle holds the source, and needs gatewise to be read.

    Raises:
        MissingFrameworkError: without torch.
    """
    name = f"<source {source.port}>"
    try:
        module = _module(name, source.text)
    except ImportError as error:
        raise MissingFrameworkError.of("torch", error, extra="torch", to="build the model") from error
    arrays = {name: module.torch.from_numpy(array) for name, array in source.arrays.items()}
    with _BUILDING:
        load, module.load = module.load, lambda _: arrays
        try:
            return module.build(name)
        finally:
            module.load = load


def _module(name: str, text: str) -> Any:
    """Return the module of a source, whose classes are pickled by its text, as it is no file that could be imported."""
    known = _MODULES.get((name, text))
    if known is not None:
        return known
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name  # for tracebacks
    module = ModuleType(name)
    module.__file__ = name
    exec(compile(text, name, "exec"), module.__dict__)  # noqa: S102  the text is gatewise's own, whatever the model holds

    def reduce(self: Any, protocol: int) -> Any:
        reduced: Any = object.__reduce_ex__(self, max(protocol, 2))
        return _empty, (module.__name__, text, type(self).__name__), *reduced[2:]

    for each in list(module.__dict__.values()):
        if isinstance(each, type) and each.__module__ == name:
            each.__reduce_ex__ = reduce  # type: ignore[assignment, method-assign]
    _MODULES[name, text] = module
    return module


def _empty(name: str, text: str, kind: str) -> Any:
    """Return an object of a class of a source, without its state."""
    made = getattr(_module(name, text), kind)
    return made.__new__(made)
