"""The user's Python files, run in this process, and the objects that arguments name in them."""

from __future__ import annotations

import ast
import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from compare.commands.searching.arguments import Named
from compare.commands.searching.own_modules import OwnModules
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.rows import owner_of


class UserFiles:
    """The files that were run, each once.

    Attributes:
        ran: their paths, as they were given.
        folders: their folders, whose modules are the user's.
    """

    def __init__(self) -> None:
        """Run none yet."""
        self.ran: list[Path] = []
        self.folders: list[Path] = []
        self._modules: dict[Path, ModuleType] = {}
        self._own = OwnModules()

    def __str__(self) -> str:
        """Return the sentence that says which files were run, or ""."""
        how = "was run, in a process of its own" if len(self.ran) == 1 else "were run, in a process of their own"
        return f"{' and '.join(map(str, self.ran))} {how}." if self.ran else ""

    def load(self, named: Named, *, is_port: bool) -> Any:
        """Return the object that an argument names.

        Args:
            named: the argument.
            is_port: whether a function that takes inputs is accepted too.

        Raises:
            GatewiseError: for a file that does not run, and for a name that leads to nothing of use.
        """
        module = self._run(named)
        would_do = [f"{named.path}:{name}" for name in _names(module, is_port=is_port)]
        wanted = "a module, layer, model or function" if is_port else "a module, layer or model"
        remedy = f"Name one of these: {', '.join(would_do)}."
        if not would_do:
            remedy = f"Add a function to it that returns the model, `def build(): ...`, and name that: {named.path}:build."
        if named.name not in vars(module):
            but = f"has no {named.name!r}" if named.name else "is named alone"
            must = f"be followed by the name of {wanted} in it, FILE.py:NAME"
            raise InvalidValueError.because(str(named.path), must=must, but=but, remedy=remedy)
        value = vars(module)[named.name or ""]
        if _is_recipe(value, is_port=is_port):
            value = _made(value, named)
        if not _is_object(value) and not (is_port and callable(value)):
            but = f"is a {type(value).__name__}"
            raise InvalidTypeError.because(str(named), must=f"be {wanted}", but=but, remedy=remedy)
        return value

    def _run(self, named: Named) -> ModuleType:
        if not named.place.is_file():
            but = "is a folder" if named.place.is_dir() else "is not there"
            raise InvalidValueError.because(str(named.path), must="be a file", but=but, remedy="Check the path.")
        place = named.place.resolve()
        if place not in self._modules:
            self.ran.append(named.path)
            self.folders.append(place.parent)
            try:
                self._modules[place] = self._import(place)
            except BaseException as error:
                raise _did_not_run(str(named.path), error) from error
        return self._modules[place]

    def _import(self, place: Path) -> ModuleType:
        """Run a file as `python FILE.py` does, but for the block below `if __name__ == "__main__":`."""
        sys.argv = [str(place)]
        for module in tuple(sys.modules.values()):
            if getattr(module, "__file__", None) == str(place):  # imported by the other file
                return module
        folder, name = _package_of(place)
        with self._own.visible(folder):
            _warn_of_hidden()
            if folder != place.parent:  # a module of a package; the name of a file alone may also contain dots
                return import_module(name)
            spec = spec_from_file_location(f"{name}_" if name in sys.modules else name, place)
            module = module_from_spec(spec)  # type: ignore[arg-type]
            sys.modules[module.__name__] = module
            exec(compile(place.read_bytes(), place, "exec"), vars(module))  # noqa: S102  what the user asks for
            return module


def _warn_of_hidden() -> None:
    """Warn of the user's modules that gatewise's packages of the same name hide."""
    with suppress(ImportError):
        for hidden in import_module("gatewise.ownership").find_hidden():
            warnings.warn(hidden, stacklevel=1)


def _package_of(place: Path) -> tuple[Path, str]:
    """Return the folder to import from, and the name of the module: that in its package if it imports relatively."""
    folder, name = place.parent, place.stem
    while _imports_relatively(place) and (folder / "__init__.py").is_file():
        name = f"{folder.name}.{name}"
        folder = folder.parent
    return folder, name


def _imports_relatively(place: Path) -> bool:
    try:
        tree = ast.parse(place.read_bytes())
    except (SyntaxError, ValueError):  # told when it is run
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def _did_not_run(what: str, error: BaseException) -> GatewiseError:
    if isinstance(error, SystemExit):
        return InvalidValueError.because(
            what,
            must="define its objects when it is run",
            but=f"ends with sys.exit({'' if error.code is None else repr(error.code)})",
            remedy='Put what it does as a program below `if __name__ == "__main__":`, which is left out here.',
        )
    return InvalidValueError.because(
        what,
        must="run without an error",
        but=f"raises {type(error).__name__}: {' '.join(str(error).split()).removesuffix('.')}",
        remedy="Correct the line that is shown above.",
    )


def _is_object(value: object) -> bool:
    """Return whether a value is a layer, a module or a model of a framework, an adapter, or a list of layers."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_object, value))
    is_adapter = hasattr(value, "get_weights") and hasattr(value, "spec")
    return not isinstance(value, type) and (is_adapter or (callable(value) and owner_of(value) is not None))


def _is_recipe(value: object, *, is_port: bool) -> bool:
    """Return whether a value makes the object: a class, or a function that needs no arguments."""
    if isinstance(value, type):
        return True
    return inspect.isroutine(value) and not (is_port and _needed(value))


def _needed(function: Any) -> list[str]:
    """Return the arguments without which a function cannot be called; `*args` counts, as it takes the inputs of a port."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a function that is not written in Python
        return ["..."]
    star = inspect.Parameter.VAR_POSITIONAL
    optional = (inspect.Parameter.VAR_KEYWORD, *((star,) if isinstance(function, type) else ()))
    return [each.name for each in parameters if each.default is each.empty and each.kind not in optional]


def _made(recipe: Any, named: Named) -> Any:
    """Call a class or a function that returns the object."""
    if needed := _needed(recipe):
        raise _not_callable(named, f"needs {', '.join(needed)}")
    try:
        made = recipe()
    except BaseException as error:
        if isinstance(error, TypeError) and "required positional argument" in str(error) and isinstance(recipe, type):
            raise _not_callable(named, f"raises TypeError: {error}") from error
        raise _did_not_run(f"{named}()", error) from error
    if not _is_object(made) and not callable(made):
        raise InvalidTypeError.because(
            f"what {named}() returns",
            must="be a module, a layer or a model",
            but=f"is a {type(made).__name__}",
            remedy="Return the model itself, or name a function that takes the inputs.",
        )
    return made


def _not_callable(named: Named, but: str) -> GatewiseError:
    return InvalidValueError.because(
        str(named),
        must="be callable without arguments",
        but=but,
        remedy=f"Add `def build(): return {named.name}(...)` with its arguments to {named.path.name}, and name that:"
        f" {named.path}:build.",
    )


def _names(module: ModuleType, *, is_port: bool) -> Iterator[str]:
    """Yield the names of a file that would do, in its order."""
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if not name.startswith("_") and (_is_object(value) or (is_own and _would_do(value, is_port=is_port))):
            yield name


def _would_do(value: Any, *, is_port: bool) -> bool:
    if isinstance(value, type):
        return any("__call__" in vars(base) for base in value.__mro__) and not _needed(value)
    return inspect.isroutine(value) and (is_port or not _needed(value))
