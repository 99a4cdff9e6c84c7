"""What each framework's own layers can hold of a spec and of the options of a call.

One row says: a layer of framework `to` holds the field only with these values, why that is so, and what to do instead.
Whatever no row limits is held natively.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from frameworks.activations import ACTIVATIONS
from frameworks.cells import CELLS, CellName, cells_by_name, cells_with
from frameworks.errors import NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec

LAYER_NAMES: dict[str, dict[CellName, str]] = {
    "keras": {cell: name for name, cell in cells_by_name("keras").items()},
    "pytorch": {cell: f"nn.{name}" for name, cell in cells_by_name("pytorch").items()},
}
"""What each framework calls its layer of a cell."""


@dataclass(frozen=True)
class Limit:
    """One field of which a framework's own layers hold some values only."""

    to: str
    field: str
    cells: tuple[CellName, ...]
    held: tuple[object, ...]
    why: str
    remedy: str


_ALL: tuple[CellName, ...] = tuple(cell.name for cell in CELLS.values())
_NONLINEAR = tuple(cell for cell in _ALL if CELLS[cell].takes_nonlinearity)
_TANH = tuple(cell for cell in _ALL if CELLS[cell].torch_activations == ("tanh",))
_EMULATE = "Use frameworks.emulate, which computes it in torch"
_INSTEAD = {"pytorch": "Use frameworks.emulate, which does the same, or ", "keras": ""}
_MODULE = "copy the weights into a module of your own with copy_weights, call it as compare.returns_map(layer).call says"
_MERGED = f"{_MODULE}, and join its results with .to_keras of that map"

LIMITS: tuple[Limit, ...] = (
    Limit("pytorch", "activation", _NONLINEAR, ("tanh", "relu"), "torch's `nonlinearity` is tanh or relu", _EMULATE),
    Limit("pytorch", "activation", _TANH, ("tanh",), "torch's cell has no argument for it and computes tanh", _EMULATE),
    Limit(
        "pytorch",
        "recurrent_activation",
        cells_with("recurrent_activation"),
        ("sigmoid",),
        "torch's cell has no argument for it and computes the sigmoid",
        _EMULATE,
    ),
    Limit(
        "pytorch",
        "reset_after",
        cells_with("reset_after"),
        (True,),
        "nn.GRU applies the reset gate after the recurrent product",
        f"{_EMULATE}, or train the layer again with reset_after=True",
    ),
    Limit(
        "keras",
        "activation",
        _ALL,
        tuple(name for name in ACTIVATIONS if name != "keras2_hard_sigmoid"),
        "Keras 3 has no such activation by name",
        "Pass a function of your own to Keras's layer and copy the weights with set_weights",
    ),
    Limit(
        "keras",
        "recurrent_activation",
        cells_with("recurrent_activation"),
        tuple(name for name in ACTIVATIONS if name != "keras2_hard_sigmoid"),
        "Keras 3's hard_sigmoid is x / 6 + 0.5 clipped, Keras 2's was 0.2 x + 0.5",
        "Pass a function of your own to Keras's layer and copy the weights with set_weights",
    ),
)
"""What the layers of a framework cannot compute."""


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


CALL_LIMITS: tuple[Limit, ...] = tuple(
    Limit(to, field, _ALL, held, why, _sentence(_INSTEAD[to] + remedy))
    for to in ("pytorch", "keras")
    for field, held, why, remedy in (
        ("go_backwards", (False,), "the counterpart reads the sequence from its start", _MODULE),
        ("stateful", (False,), "the counterpart starts every call from zeros", f"{_MODULE}, and carry the states yourself"),
        ("merge_mode", ("concat",), "the counterpart concatenates the directions", _MERGED),
        ("dropout", (0.0,), "Keras draws one mask for all time steps inside the cell", "set it to 0 for inference"),
        ("recurrent_dropout", (0.0,), "Keras masks the hidden state inside the cell", "set it to 0 for inference"),
    )
)
"""What a counterpart would silently do otherwise when called, so that `convert` refuses it."""


def find_limits(spec: RecurrentSpec, to: str, options: KerasOptions | None = None) -> Iterator[tuple[Limit, object]]:
    """Yield each limit of `to` that the spec, or the options where given, goes beyond, with the offending value."""
    for holder, limits in ((spec, LIMITS), (options, CALL_LIMITS)):
        for limit in limits if holder is not None else ():
            value = getattr(holder, limit.field)
            if limit.to == to and spec.cell in limit.cells and value not in limit.held:
                if limit.field == "merge_mode" and not spec.bidirectional:
                    continue
                yield limit, value


def require_counterpart(spec: RecurrentSpec, to: str, options: KerasOptions | None = None) -> None:
    """Refuse what the layers of `to` cannot hold.

    Raises:
        NoCounterpartError: naming the field, its value, why it cannot be held and what to do instead.
    """
    for limit, value in find_limits(spec, to, options):
        held = " or ".join(map(repr, limit.held)) if len(limit.held) < 4 else "one of its built-in ones"
        raise NoCounterpartError.because(
            f"{limit.field} of the {LAYER_NAMES['keras'][spec.cell]}",
            must=f"be {held} to fit {to}'s own {LAYER_NAMES[to][spec.cell]}",
            but=f"is {value!r}: {limit.why}",
            remedy=f"{limit.remedy}.",
        )
