"""The forms of recurrent layers in Keras that the report maps, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from frameworks.options import MergeMode
from frameworks.spec import CellName

CELLS: dict[CellName, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
NESTINGS = ("one layer", "stacked cells", "two layers")
FLAGS: tuple[tuple[bool, bool], ...] = tuple(product((False, True), (False, True)))
"""The values of return_sequences and return_state."""
MERGE_MODES: tuple[MergeMode | None, ...] = ("concat", "sum", "mul", "ave", None)


@dataclass(frozen=True)
class Setting:
    """The flags to set on a built layer between two calls."""

    return_sequences: bool
    return_state: bool
    merge_mode: MergeMode | None = "concat"

    @property
    def plain(self) -> bool:
        """Whether only the return flags are set."""
        return self.merge_mode == "concat"


@dataclass(frozen=True)
class Form:
    """One form of recurrent layers in Keras, without the return flags and the merge mode.

    Args:
        nesting: "one layer", "stacked cells", or "two layers" called one after the other.
        bidirectional: whether Bidirectional wraps the layer, or each of the two.
        go_backwards: whether the layer, or Bidirectional's forward layer, reads the last time step first.
        backward_layer: whether Bidirectional gets a separate backward layer.
    """

    nesting: str
    bidirectional: bool = False
    go_backwards: bool = False
    backward_layer: bool = False

    @property
    def plain(self) -> bool:
        """Whether the form is a common one."""
        return not (self.go_backwards or self.backward_layer)

    @property
    def kind(self) -> str:
        """The identifier shared by all forms that return the same arrays."""
        if not self.bidirectional:
            return self.nesting
        return {"one layer": "Bidirectional", "two layers": "two Bidirectional layers"}.get(
            self.nesting, f"Bidirectional over {self.nesting}"
        )

    def code(self, cell: CellName, flags: str = "", merge_mode: str = "") -> str:
        """Write the form in Keras.

        Args:
            cell: the cell of its layers.
            flags: the text for the return flags, such as ", return_state=True".
            merge_mode: the text for the merge mode, such as ", merge_mode=None".
        """
        last = self._layer(CELLS[cell], flags, merge_mode)
        if self.nesting != "two layers":
            return last
        return f"[{self._layer(CELLS[cell], ', return_sequences=True', '')}, {last}]"

    def settings(self) -> Iterator[Setting]:
        """Yield every setting of the return flags and, if there is one, of the merge mode."""
        modes = MERGE_MODES if self.bidirectional else MERGE_MODES[:1]
        yield from (Setting(*flags, mode) for flags in FLAGS for mode in modes)

    def _layer(self, name: str, flags: str, merge_mode: str) -> str:
        if not self.bidirectional:
            return self._direction(name, flags, backwards=self.go_backwards)
        forward = self._direction(name, flags, backwards=self.go_backwards)
        own = self._direction(name, flags, backwards=not self.go_backwards)
        given = f", backward_layer={own}" if self.backward_layer else ""
        return f"Bidirectional({forward}{given}{merge_mode})"

    def _direction(self, name: str, flags: str, *, backwards: bool) -> str:
        order = ", go_backwards=True" if backwards else ""
        if self.nesting == "stacked cells":
            return f"RNN([{name}Cell(4), {name}Cell(4)]{order}{flags})"
        return f"{name}(4{order}{flags})"


FORMS: tuple[Form, ...] = tuple(
    Form(nesting, bidirectional, go_backwards, backward_layer)
    for nesting in NESTINGS
    for bidirectional, go_backwards, backward_layer in product((False, True), repeat=3)
    if bidirectional or not backward_layer
)
"""All forms, including those that Keras or the map refuses."""
