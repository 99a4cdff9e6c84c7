"""The two sides of `compare`: whole models, from files and from Python files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from compare.commands.searching.arguments import Named, read_named
from compare.commands.searching.user_files import UserFiles
from compare.commands.searching.weights_file import is_of_keras, load_weights
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.files.formats import Format, find_format
from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.version import Version
from frameworks.files.untrusted.folders import open_path
from frameworks.files.untrusted.source import Source
from frameworks.registry import load
from frameworks.rows import owner_of


def read_models(model: str, port: str, weights: Sequence[Path], files: UserFiles) -> tuple[Any, Any]:
    """Return both models. Python files are run before others are opened, so that they may choose Keras's backend.

    Args:
        model: the argument MODEL.
        port: the argument PORT.
        weights: files of weights for what Python files make, PORT before MODEL; from the root, as `place`.
        files: runs Python files.
    """
    named = read_named(model), read_named(port)
    values: dict[int, Any] = {}
    for at in sorted((0, 1), key=lambda at: named[at].name is None):
        values[at] = open_model(named[at].place) if named[at].name is None else files.load(named[at], is_port=False)
    made = [(values[at], named[at]) for at in (1, 0) if named[at].name is not None]
    for path in weights:
        load_weights(path, *made.pop(_taker(path, made)))
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
    source = open_path(path)
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
        must = f"hold a model that Keras {keras.__version__} opens"
        raise _not_opened(path, must, _first_line(error), _version_of(source)) from error


def _refuse_lambda(path: Path, source: Source, file_format: Format) -> None:
    """Raise an error for a Lambda layer, whose code older versions of Keras run unasked."""
    layers = file_format.read(source, GivenOptions(None), None)
    if named := [layer.name for layer in layers if getattr(layer, "kind", "") == "Lambda"]:
        raise InvalidValueError.because(
            str(path),
            must="hold no code",
            but=f"holds that of the Lambda layer {named[0]!r}",
            remedy="If you trust it, load it in a Python file, model = keras.saving.load_model(path, safe_mode=False), and name"
            " that: FILE.py:model.",
        )


def _not_opened(path: Path, must: str, said: str, version: Version) -> InvalidValueError:
    if "No model config" in said or path.name.endswith(".weights.h5"):
        but = "holds weights alone"
        remedy = "Name the code that builds the model, FILE.py:NAME, and pass this file with --weights."
        return InvalidValueError.because(str(path), must=must, but=but, remedy=remedy)
    if version.text and version.is_keras2:
        return InvalidValueError.because(
            str(path),
            must=must,
            but=f"was saved by Keras {version.text} ({said})",
            remedy="Load it in a Python file, model = tf_keras.models.load_model(path), and name that: FILE.py:model."
            " `gatewise verify` compares its layers with those of a file without any Keras.",
        )
    return InvalidValueError.because(
        str(path),
        must=must,
        but=f"Keras says: {said}",
        remedy="Load it in a Python file that defines what Keras lacks, and name that: FILE.py:NAME.",
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an error of Keras, or of the error inside that it quotes."""
    text = str(error).rpartition("Exception encountered:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].removesuffix(".")[:300]


def _version_of(source: Source) -> Version:
    """Return the version of Keras that a file states."""
    try:
        _, stated = find_format(source).read_described(source, GivenOptions(None), None)
    except GatewiseError:
        stated = None
    return stated.version if isinstance(stated, Architecture) else Version("")
