"""The modules of users' folders: equally named modules of two folders are kept apart."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


class OwnModules:
    """The modules that were imported from each folder.

    Code of one folder sees no modules of another, also when a function imports them later.
    """

    def __init__(self) -> None:
        """Know no folder yet."""
        self._kept: dict[Path, dict[str, ModuleType]] = {}

    @contextmanager
    def visible(self, folder: Path) -> Iterator[None]:
        """Run a file of a folder, which becomes the first on the path."""
        if folder not in self._kept:
            self._kept[folder] = {}
            sys.path.insert(0, str(folder))
            if len(self._kept) > 1:
                self._watch_imports()
        with self._alone(folder):
            yield

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Hide the modules of other folders, and the folders themselves."""
        hidden = [name for name, module in sys.modules.items() if self._folder_of(name, module) not in (None, folder)]
        for name in hidden:
            del sys.modules[name]
        sys.modules.update(self._kept[folder])
        path = list(sys.path)
        others = {str(each) for each in self._kept if each != folder}
        sys.path[:] = [each for each in path if each not in others]
        try:
            yield
        finally:
            own = {name: module for name, module in sys.modules.items() if self._folder_of(name, module) == folder}
            self._kept[folder].update(own)
            added = [each for each in sys.path if each not in path]
            sys.path[:] = [*added, *path]
            for kept in self._kept.values():  # the last file wins, which is the port
                sys.modules.update(kept)

    def _folder_of(self, name: str, module: object) -> Path | None:
        """Return the folder from which a module was imported under its name, if it is one of the user's."""
        for folder, kept in self._kept.items():
            if kept.get(name) is module:  # the path of a package without __init__.py changes with sys.path
                return folder
        return self._folder(name, getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None))

    def _folder(self, name: str, file: object) -> Path | None:
        top = name.partition(".")[0]
        for folder in self._kept:
            inside = f"{folder}{os.sep}"
            if isinstance(file, str) and file.startswith(inside):
                first = file[len(inside) :].partition(os.sep)[0]
                if first in (top, f"{top}.py", f"{top.removesuffix('_')}.py"):  # json.py is run as json_
                    return folder
        return None

    def _watch_imports(self) -> None:
        """Import what a function of a folder asks for from that folder, also after the file was run."""
        plain = builtins.__import__
        inside: list[Path] = []

        def import_from(name: str, globals: Mapping[str, Any] | None = None, *rest: Any, **named: Any) -> Any:  # noqa: A002
            known = globals or {}
            folder = self._folder(str(known.get("__name__")), known.get("__file__"))
            if folder is None or folder in inside[-1:]:
                return plain(name, globals, *rest, **named)
            inside.append(folder)
            try:
                with self._alone(folder):
                    return plain(name, globals, *rest, **named)
            finally:
                inside.pop()

        builtins.__import__ = import_from
