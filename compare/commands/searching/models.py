"""The two sides of `compare`: whole models, from files and from Python files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from compare.commands.searching.arguments import Named, read_named
from compare.commands.searching.user_files import UserFiles
from compare.commands.searching.weights_file import is_of_keras, load_weights
from frameworks.errors import InvalidValueError
from frameworks.files.formats import Format, find_format
from frameworks.files.given_options import GivenOptions
from frameworks.files.untrusted.foreign_files import require_file
from frameworks.files.untrusted.source import Source, open_source
from frameworks.registry import load
from frameworks.rows import owner_of


def read_models(model: str, port: str, weights: Sequence[str], files: UserFiles) -> tuple[Any, Any]:
    """Return both models. Python files are run before others are opened, so that they may choose Keras's backend.

    Args:
        model: the argument MODEL.
        port: the argument PORT.
        weights: files of weights for what Python files make, PORT before MODEL.
        files: runs Python files.
    """
    named = read_named(model), read_named(port)
    values: dict[int, Any] = {}
    for at in sorted((0, 1), key=lambda at: named[at].name is None):
        values[at] = open_model(named[at].path) if named[at].name is None else files.load(named[at], is_port=False)
    made = [(values[at], named[at]) for at in (1, 0) if named[at].name is not None]
    for path in weights:
        at = _taker(Path(path), made)
        load_weights(Path(path), *made.pop(at))
    return values[0], values[1]


def _taker(path: Path, made: Sequence[tuple[Any, Named]]) -> int:
    """Return which of the models takes a file of weights: the first of its framework."""
    owner = "keras" if is_of_keras(path) else "pytorch"
    for at, (value, _) in enumerate(made):
        row = owner_of(value)
        if row is not None and row.name == owner:
            return at
    raise InvalidValueError.because(
        f"--weights {path}",
        must=f"be for a {'Keras model' if owner == 'keras' else 'torch module'} that a FILE.py:NAME makes",
        but="there is none" if not made else "these are left: " + ", ".join(str(named) for _, named in made),
        remedy="Leave it out for a file that holds a model with its weights, or name the code that builds the model.",
    )


def open_model(path: Path) -> Any:
    """Open a file that holds a Keras model, running no code from it.

    Raises:
        InvalidValueError: for any other file.
    """
    require_file(path)
    source = open_source(path)
    file_format = find_format(source)
    if not file_format.takes_architecture:
        remedy = "Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."
        if not file_format.module.startswith("frameworks.files.torch"):
            remedy = "Name code that loads and runs it: FILE.py:NAME."
        but = f"is of the format {file_format.name}, and a model in it would be code"
        raise InvalidValueError.because(str(path), must="hold a Keras model", but=but, remedy=remedy)
    _refuse_lambda(path, source, file_format)
    load("keras")
    keras: Any = import_module("keras")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever Keras raises
        raise _not_opened(path, str(error), keras.__version__) from error


def _refuse_lambda(path: Path, source: Source, file_format: Format) -> None:
    """Raise an error for a Lambda layer, whose code older versions of Keras run unasked."""
    layers = file_format.read(source, GivenOptions(None), None)
    if named := [layer.name for layer in layers if getattr(layer, "kind", "") == "Lambda"]:
        raise InvalidValueError.because(
            str(path),
            must="hold no code",
            but=f"holds that of the Lambda layer {named[0]!r}",
            remedy="If you trust it, load it in a Python file with keras.saving.load_model(path, safe_mode=False), and name that:"
            " FILE.py:NAME.",
        )


def _not_opened(path: Path, said: str, version: str) -> InvalidValueError:
    first = next((line for line in said.splitlines() if line.strip()), "").strip().removesuffix(".")
    must = f"hold a model that Keras {version} opens"
    if "No model config" in said or "weights" in path.suffixes[-2:-1]:
        remedy = "Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."
        return InvalidValueError.because(str(path), must=must, but=f"holds weights alone: {first}", remedy=remedy)
    return InvalidValueError.because(
        str(path),
        must=must,
        but=f"Keras says: {first[:300]}",
        remedy="Load it in a Python file, with its custom classes or, for a model of Keras 2, with tf_keras.models.load_model,"
        " and name that: FILE.py:NAME. `gatewise verify` compares the layers of the file without Keras.",
    )


