"""Several layers of files that are called one after the other, as one layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidTypeError, NoCounterpartError
from frameworks.files.stored import StoredLayer
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec

_REMEDY = "No one torch module runs such a stack: adapt and convert its layers one at a time."


def adapt(native: Sequence[Any]) -> StoredLayer:
    """Return the layer that consists of these layers, called one after the other.

    Args:
        native: layers of files; all from Keras, or all called like torch modules.

    Raises:
        GatewiseError: for a layer that cannot be part of one recurrence, with its name.
    """
    layers: tuple[StoredLayer, ...] = tuple(native)
    for index, layer in enumerate(layers):
        _require_stored(index, layer, layers)
    if len(layers) == 1:
        return layers[0]
    for index, layer in enumerate(layers):
        _require_same(index, layer, layers)
        _require_stackable(index, layer, layers)
    last = layers[-1]
    return replace(
        last,
        name=",".join(layer.name for layer in layers),
        cells=tuple(row for layer in layers for row in layer.cells),
        options=_join_options([layer.options for layer in layers if layer.options is not None]),
        warnings=tuple(dict.fromkeys(warning for layer in layers for warning in layer.warnings)),
        mask=layers[0].mask,
        arguments=MappingProxyType({name: value for layer in layers for name, value in layer.arguments.items()}),
        place="",
        assumed=frozenset(name for layer in layers for name in layer.assumed),
    )


def _join_options(options: Sequence[KerasOptions]) -> KerasOptions | None:
    if not options:
        return None
    return replace(
        options[-1],
        stateful=any(each.stateful for each in options),
        dropout=max(each.dropout for each in options),
        recurrent_dropout=max(each.recurrent_dropout for each in options),
    )


def _require_stored(index: int, layer: Any, layers: Sequence[Any]) -> None:
    if not isinstance(layer, StoredLayer):
        raise InvalidTypeError.because(
            f"layer {index} of the stack",
            must=f"be a layer of a file, like {layers[0].name}",
            but=f"is of type {type(layer).__name__}",
            remedy="Stack layers of files, or live layers.",
        )


def _require_same(index: int, layer: StoredLayer, layers: Sequence[StoredLayer]) -> None:
    """Require the spec that one torch module with all these layers has."""
    first = layers[0].spec
    wanted = replace(first, num_layers=layer.spec.num_layers, input_size=layers[0].cells[0][0].spec.input_size)
    if index:
        wanted = replace(wanted, input_size=first.num_directions * first.hidden_size)
    for name in (each.name for each in fields(RecurrentSpec)):
        one, other = getattr(wanted, name), getattr(layer.spec, name)
        if one != other:
            raise _refused(index, layer, f"have {name}={one!r}, to follow {layers[0].name}", f"has {name}={other!r}")


def _require_stackable(index: int, layer: StoredLayer, layers: Sequence[StoredLayer]) -> None:
    for wanted, problem in _problems(layer, layers, is_last=index == len(layers) - 1):
        if problem:
            raise _refused(index, layer, f"have {wanted}", f"has {problem}")


def _problems(layer: StoredLayer, layers: Sequence[StoredLayer], *, is_last: bool) -> Iterator[tuple[str, str]]:
    """Yield requirements, and how the layer fails to meet each one; "" if it meets it."""
    origin, options = layers[0].origin, layer.options
    yield f"the call of a {origin} layer, like the first", "" if layer.origin == origin else f"that of a {layer.origin} layer"
    yield "a call over time", "that of a bare cell" if layer.is_cell else ""
    if options is None:
        return
    yield "one cell, not a list of them", f"{len(layer.cells)} in a list" if options.nesting == "cells" else ""
    yield "go_backwards=False", "go_backwards=True: the next layer reads its reversed output" if options.go_backwards else ""
    if is_last or layer.origin != "keras":
        return
    unknown = "return_sequences" in layer.assumed
    yield "return_sequences=True", "" if options.return_sequences or unknown else "return_sequences=False"
    joins = len(layer.cells[0]) == 2 and options.merge_mode != "concat"
    yield "merge_mode='concat'", f"merge_mode={options.merge_mode!r}" if joins else ""


def _refused(index: int, layer: StoredLayer, must: str, but: str) -> NoCounterpartError:
    return NoCounterpartError.because(f"layer {index} ({layer.name}) of the stack", must=must, but=but, remedy=_REMEDY)
