"""The user's options for what a file does not state, by layer name; None stands for all layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from frameworks.cells import CELLS, OPTIONS
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.kinds import PYTORCH
from frameworks.layouts import ONNX
from frameworks.options import KerasOptions

KERAS_FLAGS = tuple(each.name for each in fields(KerasOptions) if each.name not in ("nesting", "bare_states"))
OF_ONE_LAYER = ("cell", "kind")
"""Options that say what a single layer is."""

FORGET_BIAS = "forget_bias"
"""The option of an LSTM of TensorFlow 1, which adds a constant at run time."""

KNOWN = tuple(
    dict.fromkeys(
        (
            *OPTIONS,
            *KERAS_FLAGS,
            "batch_first",
            "nonlinearity",
            *OF_ONE_LAYER,
            "time_major",
            FORGET_BIAS,
            *(option.name for kind in PYTORCH for option in kind.stored_options),
        )
    )
)

Options = Mapping[str | None, Mapping[str, Any]]


def options_of_layer(layer: StoredLayer) -> tuple[str, ...]:
    """Return the names of the options of a layer: in Keras those of its cells and its call, in torch its module's arguments.

    A layer of an ONNX file has none: the graph states everything. `cell` states that a cell is the framework's own.
    """
    if layer.cells[0][0].layout is ONNX:
        return ()
    cells = dict.fromkeys(cell.spec.cell for row in layer.cells for cell in row)
    if layer.cells[0][0].layout.joins_kernels:  # a layer of TensorFlow 1
        options = dict.fromkeys(option for cell in cells for option in CELLS[cell].options if option != "reset_after")
        return (*options, *KERAS_FLAGS, *([FORGET_BIAS] if any(CELLS[cell].forgets for cell in cells) else []))
    if layer.origin == "keras":
        return (*dict.fromkeys(option for cell in cells for option in CELLS[cell].options), *KERAS_FLAGS, "cell", "time_major")
    has = {
        "nonlinearity": any(CELLS[cell].takes_nonlinearity for cell in cells),
        "dropout": len(layer.cells) > 1,
        "batch_first": not layer.is_cell,
        "cell": True,
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
                if layer is None and name in OF_ONE_LAYER:
                    raise InvalidValueError.because(
                        f"the option {name}", must="name a layer", but="is given for all", remedy="Write NAME.OPTION=VALUE."
                    )
                if name not in KNOWN:
                    raise InvalidValueError.because(
                        f"the option {name!r} of {layer or 'all layers'}",
                        must=f"be one of {', '.join(KNOWN)}",
                        but="is not",
                        remedy="".join(f"Is it {each!r}? " for each in get_close_matches(str(name), KNOWN, 1))
                        + "Sizes are read from the weights.",
                    )

    def of(self, layer: str) -> dict[str, Any]:
        """Return the options for a layer; those under its name override those for all layers."""
        return {**self._options.get(None, {}), **self._options.get(layer, {})}

    def check(self, layers: Sequence[StoredLayer | OtherLayer]) -> None:
        """Check that every layer named in the options exists and has these options.

        Raises:
            GatewiseError: for an unknown layer or option; the message lists the known ones.
        """
        known: dict[str, tuple[str, ...]] = {}
        for layer in layers:
            own = layer.options if isinstance(layer, OtherLayer) else options_of_layer(layer)
            known[layer.name] = (*known.get(layer.name, ()), *own)
        for name, chosen in self._options.items():
            if name is None:
                continue
            if name not in known:
                names = ", ".join(each or repr(each) for each, options in known.items() if options)
                raise InvalidValueError.because(
                    f"the layer {name!r} of the options",
                    must=f"be one of the layers {names}" if names else "be left out",
                    but="is not" if names else "is given for a file that states everything",
                    remedy="Use the names that the checkpoint lists.",
                )
            for option in chosen:
                if option not in known[name]:
                    raise InvalidValueError.because(
                        f"the option {option} of {name or repr(name)}",
                        must=f"be one of {', '.join(known[name])}" if known[name] else "be left out",
                        but="is not an option of this layer",
                        remedy="Leave it out; sizes are read from the weights.",
                    )
        for layer in layers:
            if isinstance(layer, StoredLayer) and "cell" in self._options.get(layer.name, {}):
                told, cells = self._options[layer.name]["cell"], [cell.spec.cell for row in layer.cells for cell in row]
                check_cell(layer.name, told, told if told in cells else cells[0])


def check_cell(layer: str, told: Any, shown: str) -> None:
    """Check the cell that the user states against the one that the arrays show.

    Raises:
        GatewiseError: if they differ.
    """
    if told != shown:
        raise InvalidValueError.because(
            f"the option cell of {layer or repr(layer)}",
            must=f"be {shown!r}, as the arrays show",
            but=f"is {str(told)[:100]!r}",
            remedy="Leave it out if the cell is none of these.",
        )


_WHOLE = ("a whole number from 1", lambda value: type(value) is int and value > 0)
_STEPS = ("a whole number from 1, or one for each axis", lambda value: _are_whole(value, 1))
_NUMBER = (int, float)

_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "batch_first": ("True or False", lambda value: isinstance(value, bool) or value is None),
    "dropout": ("a number from 0 to 1", lambda value: isinstance(value, _NUMBER) and 0 <= value <= 1),
    "nonlinearity": ("'tanh' or 'relu'", lambda value: value in ("tanh", "relu")),
    **dict.fromkeys(("proj_size", "groups", "num_groups", "num_heads"), _WHOLE),
    **dict.fromkeys(("stride", "dilation"), _STEPS),
    "padding": (
        "a whole number from 0, one for each axis, 'same' or 'valid'",
        lambda value: value in ("same", "valid") if isinstance(value, str) else _are_whole(value, 0),
    ),
    "output_padding": ("a whole number from 0, or one for each axis", lambda value: _are_whole(value, 0)),
    "padding_mode": (
        "'zeros', 'reflect', 'replicate' or 'circular'",
        lambda value: value in ("zeros", "reflect", "replicate", "circular"),
    ),
    "mode": ("'sum', 'mean' or 'max'", lambda value: value in ("sum", "mean", "max")),
    "eps": ("a number from 0", lambda value: type(value) in _NUMBER and 0 <= value < float("inf")),
    "momentum": ("a number from 0 to 1, or None", lambda value: value is None or (type(value) in _NUMBER and 0 <= value <= 1)),
}
"""For each argument of a torch module, its possible values in words, and a function that recognises them."""


def _are_whole(value: Any, least: int) -> bool:
    each = value if isinstance(value, tuple) else (value,)
    return bool(each) and all(type(one) is int and one >= least for one in each)


def check_arguments(layer: str, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a torch module.

    Raises:
        GatewiseError: for a name or value that no such module accepts.
    """
    for name, value in arguments.items():
        wanted, holds = _RULES.get(name, ("left out", lambda _: False))
        if not holds(value):
            raise InvalidValueError.because(
                f"{name} of {layer or repr(layer)}"[:200],
                must=f"be {wanted}",
                but=f"is {str(value)[:100]}",
                remedy="Pass a valid value as an option.",
            )
