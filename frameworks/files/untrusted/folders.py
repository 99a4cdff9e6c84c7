"""Paths that stand for several files: folders, and prefixes of TensorFlow checkpoints. No link may lead out of a folder."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from frameworks.errors import InvalidValueError
from frameworks.files.untrusted.source import Source, damaged, open_source

GRAPH, METADATA = "saved_model.pb", "keras_metadata.pb"
"""Two files of a SavedModel: the graphs, and what Keras wrote of its layers since TensorFlow 2.5."""
_INDEX, _LIST = ".index", "checkpoint"
_LATEST = re.compile(r'^model_checkpoint_path: "(?:.*[/\\])?([^/\\"]+)"', re.MULTILINE)
_MOST = 1 << 20


def open_path(path: Path) -> Source:
    """Open a file, or the file that stands for a folder or a prefix; messages then name the folder or the prefix.

    Args:
        path: a file; the folder of a SavedModel; the prefix of a TensorFlow checkpoint, or a folder that lists some.

    Raises:
        GatewiseError: for any other folder, and for a path that is not a readable file.
    """
    with suppress(OSError):  # whoever opens the file reports it, such as a name that is too long
        if path.is_dir():
            return _open_folder(path)
        if not path.exists() and _index_of(path).exists():
            return _named(open_source(_index_of(path)), path.name)
    return open_source(path)


def open_within(folder: Path, file: str, name: str = "") -> Source:
    """Open a file of a folder.

    Args:
        folder: the folder.
        file: the path of the file in it.
        name: what messages call the file; "" for the names of both.

    Raises:
        GatewiseError: for a file that is missing, and for a link that leads out of the folder.
    """
    path, name = folder / file, name or f"{folder.resolve().name}/{file}"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidValueError.because(
            name,
            must="be in its folder",
            but="is a link that leads out of it",
            remedy="If you trust it, copy the folder with the files that its links lead to, as `cp -rL` does.",
        )
    if not path.exists():
        raise damaged(name, "is missing")
    return _named(open_source(path), name)


def _open_folder(path: Path) -> Source:
    if any((path / file).exists() for file in (GRAPH, METADATA)):
        source = open_within(path, GRAPH)
        return _named(source, path.resolve().name)
    checkpoints = sorted(each.name.removesuffix(_INDEX) for each in path.glob(f"*{_INDEX}"))
    latest = _latest(path)
    if latest in checkpoints:
        return open_within(path, f"{latest}{_INDEX}", latest)
    if len(checkpoints) == 1:
        return open_within(path, f"{checkpoints[0]}{_INDEX}", checkpoints[0])
    what, remedy = "a folder", "Open the checkpoint in it."
    if checkpoints:
        what = f"a folder of TensorFlow checkpoints: {', '.join(checkpoints[:5])}"
        remedy = f"Pass one of them, as in {path / checkpoints[-1]}."
    elif path.suffix == ".mlpackage":
        what = "a Core ML model, which keeps no layers of Keras or torch"
        remedy = "Open the model that it was made from."
    raise InvalidValueError.because(str(path), must="be a file", but=f"is {what}", remedy=remedy)


def _latest(folder: Path) -> str:
    """Return the prefix of the newest checkpoint that a folder lists, or ""."""
    if not (folder / _LIST).is_file():
        return ""
    listed = open_within(folder, _LIST)
    match = _LATEST.search(listed.head(_MOST).decode("utf-8", "replace"))
    return match[1] if match else ""


def _index_of(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}{_INDEX}")


def _named(source: Source, name: str) -> Source:
    source.name = name
    return source
