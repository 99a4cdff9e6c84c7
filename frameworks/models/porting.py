"""`to_source` and `port_model`: a whole model in the other framework, as source or as a live model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from os import PathLike
from typing import Any, Literal, get_args

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.files.given_options import Options
from frameworks.models.pytorch.writing import write_module
from frameworks.models.reading import read_graph
from frameworks.models.source import Source
from frameworks.registry import load
from frameworks.rows import FrameworkName, owner_of, row_of

Padding = Literal["any", "end"]

_PADDINGS = '"any" is exact for every mask; "end" packs, and refuses a mask with a hole.'


def to_source(
    model: Any,
    to: FrameworkName | None = None,
    *,
    weights: str | PathLike[str] | None = None,
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
    example: Any = None,
    padding: Padding = "any",
    imports_gatewise: bool = False,
) -> Source:
    """Return a whole model as readable source of the other framework, with its weights.

    Args:
        model: a Keras model, or the path of its file (.keras, .h5, .json with `weights`) or of its SavedModel folder; or a
            torch module, with `example`.
        to: the framework of the source; None for the other one.
        weights: the file of weights, for a .json file.
        architecture: the JSON that Keras wrote for a file of weights, or its path.
        options: what the file does not state, by layer name; see `open_checkpoint`.
        example: the arguments of one call of a torch module, by position or by name.
        padding: "any" is exact for every mask; "end" packs, and refuses a mask with a hole at run time.
        imports_gatewise: whether recurrent layers that torch lacks are imported from gatewise, instead of classes for them in
            the source. ConvLSTM layers are classes in any case.

    Raises:
        GatewiseError: for a model that cannot be read, for an option that has no counterpart, and for code of a torch module
            that cannot be followed.

    Example:
        >>> import keras
        >>> layers = [keras.Input((3,), name="features"), keras.layers.Dense(2, name="head")]
        >>> keras.Sequential(layers, name="tiny").save("tiny.keras")
        >>> source = to_source("tiny.keras")
        >>> [(row.layer, row.here) for row in source.table]
        [('features', 'features'), ('head', 'self.head')]
    """
    if _to_keras(model, to):
        given = {"weights": weights, "architecture": architecture, "options": options, "padding": padding != "any"}
        _refuse_others(given | {"imports_gatewise (--import)": imports_gatewise}, "a torch module")
        return _keras_source(model, example)
    _refuse_others({"example": example}, "a Keras model")
    if padding not in get_args(Padding):
        raise InvalidValueError.because("padding", must='be "any" or "end"', but=f"is {padding!r}", remedy=_PADDINGS)
    graph = read_graph(model, weights=weights, architecture=architecture, options=options)
    return write_module(graph, padding=padding, imports_gatewise=imports_gatewise)


def _keras_source(module: Any, example: Any) -> Source:
    if example is None:
        raise InvalidValueError.because(
            "example",
            must="be the arguments of one call of the module",
            but="is missing",
            remedy="Pass them: to_source(module, example=(x, lengths)), or --inputs FILE.npz.",
        )
    load("pytorch")
    traced = import_module("frameworks.models.tracing").trace(module, example)
    source: Source = import_module("frameworks.models.keras_source").write_keras(traced)
    return source


def _refuse_others(given: Mapping[str, Any], model: str) -> None:
    """Refuse arguments that mean something for a model of the other framework only."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise InvalidValueError.because(
                name, must=f"be left out for {model}", but="is given", remedy=f"Leave it out.{_INSTEAD.get(name, '')}"
            )


_INSTEAD = {
    "weights": " Load the weights into the module first, or pass --weights FILE.",
    "example": " Inputs for its proof are --inputs FILE.npz.",
}


def _to_keras(model: Any, to: FrameworkName | None) -> bool:
    """Return whether the source is to be one of Keras: that of a torch module.

    Raises:
        NoCounterpartError: for a source of the framework that the model has already.
    """
    is_module = owner_of(model) is not None and owner_of(model).name == "pytorch"  # type: ignore[union-attr]
    wanted = row_of(to).name if to is not None else "keras" if is_module else "pytorch"
    if (wanted == "keras") != is_module:
        raise NoCounterpartError.because(
            "to",
            must=f"be {'keras' if is_module else 'pytorch'!r}, the other framework than the model's",
            but=f"is {to!r}",
            remedy="Leave it out. gatewise port OLD.h5 NEW.keras writes a Keras model for today's Keras.",
        )
    return is_module


def port_model(model: Any, to: FrameworkName | None = None, **arguments: Any) -> Any:
    """Return the model of `to_source`, with its weights, in inference mode.

    Args:
        model: as in `to_source`.
        to: as in `to_source`.
        arguments: as in `to_source`.

    Returns:
        The torch module. It is called with as many positional arguments as the model has inputs, and returns one tensor, or a
        tuple in the order of the model's outputs.

    Raises:
        GatewiseError: as `to_source`, and for a model with gaps.

    Example:
        >>> import keras
        >>> layers = [keras.Input((3,), name="features"), keras.layers.Dense(2, name="head")]
        >>> keras.Sequential(layers, name="tiny").save("tiny.keras")
        >>> port_model("tiny.keras")
        Tiny(
          (head): Linear(in_features=3, out_features=2, bias=True)
        )
    """
    source = to_source(model, to, **arguments)
    if source.gaps:
        gaps = ", ".join(f"{each.layer} ({each.kind})" for each in source.gaps)
        raise NoCounterpartError.because(
            "a model that is built at once",
            must="be complete",
            but=f"has layers that are left to you: {gaps}",
            remedy="Write it with to_source(model).write(path), fill in what raises NotImplementedError, and call build().",
        )
    build = import_module(f"frameworks.models.{'pytorch' if source.to == 'pytorch' else 'keras_source'}.building").built
    return build(source)
