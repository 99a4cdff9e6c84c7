"""The user's options for what a file does not state, by layer name; None stands for all layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from frameworks.cells import CELLS, OPTIONS
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.files.stored import StoredLayer
from frameworks.layouts import ONNX
from frameworks.options import KerasOptions

KERAS_FLAGS = tuple(each.name for each in fields(KerasOptions) if each.name not in ("nesting", "bare_states"))
KNOWN = (*OPTIONS, *KERAS_FLAGS, "cell", "batch_first", "nonlinearity")

Options = Mapping[str | None, Mapping[str, Any]]


def options_of_layer(layer: StoredLayer) -> tuple[str, ...]:
    """Return the names of the options of a layer: in Keras those of its cells and its call, in torch its module's arguments.

    A layer of an ONNX file has none: the graph states everything.
    """
    if layer.cells[0][0].layout is ONNX:
        return ()
    cells = dict.fromkeys(cell.spec.cell for row in layer.cells for cell in row)
    if layer.origin == "keras":
        return (*dict.fromkeys(option for cell in cells for option in CELLS[cell].options), *KERAS_FLAGS, "cell")
    has = {
        "nonlinearity": any(CELLS[cell].takes_nonlinearity for cell in cells),
        "dropout": len(layer.cells) > 1,
        "batch_first": not layer.is_cell,
    }
    return tuple(name for name, holds in has.items() if holds)


class GivenOptions:
    """The options that the user gave, by layer.

    Args:
        options: the options by layer name; those under None apply to all layers that have them.

    Raises:
        GatewiseError: for an unknown option.
    """

    def __init__(self, options: Options | None = None) -> None:
        """Check the names of the options."""
        self._options = dict(options or {})
        for layer, chosen in self._options.items():
            if not isinstance(chosen, Mapping):
                raise InvalidTypeError.because(
                    f"options[{layer!r}]",
                    must="be a mapping from option to value",
                    but=f"is {chosen!r}",
                    remedy="Write {'lstm': {'recurrent_activation': 'keras2_hard_sigmoid'}}.",
                )
            for name in chosen:
                if name not in KNOWN:
                    raise InvalidValueError.because(
                        f"the option {name!r} of {layer or 'all layers'}",
                        must=f"be one of {', '.join(KNOWN)}",
                        but="is not",
                        remedy="".join(f"Is it {each!r}? " for each in get_close_matches(str(name), KNOWN, 1))
                        + "Sizes are read from the weights.",
                    )
            if chosen.get("cell", "lstm") not in CELLS:
                raise _wrong_cell(layer, CELLS, chosen["cell"])

    def of(self, layer: str) -> dict[str, Any]:
        """Return the options for a layer; those under its name override those for all layers."""
        return {**self._options.get(None, {}), **self._options.get(layer, {})}

    def check(self, layers: Iterable[StoredLayer]) -> None:
        """Check that every layer named in the options exists and has these options.

        Raises:
            GatewiseError: for an unknown layer or option; the message lists the known ones.
        """
        layers = tuple(layers)
        for name in self._options:
            if name is not None and name not in {layer.name for layer in layers}:
                raise InvalidValueError.because(
                    f"the layer {name!r} of the options",
                    must=f"be one of the recurrent layers {', '.join(layer.name or repr(layer.name) for layer in layers)}",
                    but="is not",
                    remedy="Use the names that the checkpoint lists.",
                )
        for layer in layers:
            known = options_of_layer(layer)
            for option in self._options.get(layer.name, {}):
                if option not in known:
                    raise InvalidValueError.because(
                        f"the option {option} of {layer.name or repr(layer.name)}",
                        must=f"be one of {', '.join(known)}" if known else "be left out",
                        but="is not an option of this layer",
                        remedy="Leave it out; sizes are read from the weights.",
                    )
            cells = dict.fromkeys(cell.spec.cell for row in layer.cells for cell in row)
            stated = self._options.get(layer.name, {}).get("cell")
            if stated and stated not in cells:
                raise _wrong_cell(layer.name, cells, stated)


def _wrong_cell(layer: str | None, known: Iterable[str], given: Any) -> InvalidValueError:
    return InvalidValueError.because(
        f"the option cell of {layer or 'all layers'}",
        must=f"be one of {', '.join(known)}",
        but=f"is {given!r}",
        remedy="It says which cell a custom layer computes; leave it out for a layer of Keras.",
    )


def check_arguments(layer: str, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a recurrent torch module.

    Raises:
        GatewiseError: for a name or value that no such module accepts.
    """
    rules: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
        "batch_first": ("True or False", lambda value: isinstance(value, bool)),
        "dropout": ("a number from 0 to 1", lambda value: isinstance(value, (int, float)) and 0 <= value <= 1),
        "nonlinearity": ("'tanh' or 'relu'", lambda value: value in ("tanh", "relu")),
        "proj_size": ("a whole number from 1", lambda value: type(value) is int and value > 0),
    }
    for name, value in arguments.items():
        wanted, holds = rules.get(name, ("left out", lambda _: False))
        if not holds(value):
            raise InvalidValueError.because(
                f"{name} of {layer or repr(layer)}"[:200],
                must=f"be {wanted}",
                but=f"is {str(value)[:100]}",
                remedy="Pass a valid value as an option.",
            )
