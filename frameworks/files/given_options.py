"""What the user says of layers that the file does not: options by layer name, None standing for every layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from frameworks.cells import CELLS, OPTIONS, CellName
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.options import KerasOptions

KERAS_FLAGS = tuple(each.name for each in fields(KerasOptions) if each.name not in ("nesting", "bare_states"))
MODULE_OPTIONS = ("batch_first", "nonlinearity")
KNOWN = (*OPTIONS, *KERAS_FLAGS, *MODULE_OPTIONS)

Options = Mapping[str | None, Mapping[str, Any]]


class Answers:
    """The options that were given, and which of their layers were met.

    Args:
        options: by layer name, by option; None as name for all layers that have the option.

    Raises:
        GatewiseError: for an option that no layer has.
    """

    def __init__(self, options: Options | None = None) -> None:
        """Check the names of the options."""
        self._options = dict(options or {})
        for layer, given in self._options.items():
            if not isinstance(given, Mapping):
                raise InvalidTypeError.because(
                    f"options[{layer!r}]",
                    must="be a mapping from option to value",
                    but=f"is {given!r}",
                    remedy="Write {'lstm': {'recurrent_activation': 'keras2_hard_sigmoid'}}.",
                )
            for name in given:
                if name not in KNOWN:
                    raise InvalidValueError.because(
                        f"the option {name!r} of {layer or 'all layers'}",
                        must=f"be one of {', '.join(KNOWN)}",
                        but="is none of them",
                        remedy="".join(f"Is it {each!r}? " for each in get_close_matches(str(name), KNOWN, 1))
                        + "Sizes are read from the weights.",
                    )

    def of(self, layer: str) -> dict[str, Any]:
        """Give what was said of a layer, by its own name before what was said of all."""
        return {**self._options.get(None, {}), **self._options.get(layer, {})}

    def alone(self, layer: str) -> Mapping[str, Any]:
        """Give what was said of a layer by its own name."""
        return self._options.get(layer, {})

    def require_had(self, layer: str, cells: set[CellName], *, of_keras: bool) -> None:
        """Refuse what is said of a layer by its name and that it does not have.

        Args:
            layer: its name.
            cells: the kinds of its cells.
            of_keras: whether it is a layer of Keras's, which has flags where a module of torch has arguments.
        """
        nonlinear = any(CELLS[cell].takes_nonlinearity for cell in cells)
        calls = KERAS_FLAGS if of_keras else (*MODULE_OPTIONS[: 1 + nonlinear], "dropout")
        had = [*dict.fromkeys(option for cell in sorted(cells) for option in CELLS[cell].options), *calls]
        for name in self.alone(layer):
            if name not in had:
                raise InvalidValueError.because(
                    f"the option {name} of {layer or repr(layer)}",
                    must=f"be one of {', '.join(had)}",
                    but="is none that the layer has",
                    remedy="Leave it out.",
                )

    def require_met(self, layers: Iterable[str]) -> None:
        """Refuse options of a layer that is not there."""
        there = tuple(layers)
        for name in self._options:
            if name is not None and name not in there:
                raise InvalidValueError.because(
                    f"the layer {name!r} of the options",
                    must=f"be one of the recurrent layers {', '.join(each or repr(each) for each in there)}",
                    but="is none of them",
                    remedy="Use the names that the checkpoint lists.",
                )


def check_arguments(layer: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that no recurrent module of torch takes.

    Raises:
        GatewiseError: for such a name or value.
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
                remedy="Give it so as an option.",
            )
