"""The results of one call of a Keras recurrent layer: the arrays, their nesting, axes and meaning.

Sources: keras/src/layers/rnn/{rnn,stacked_rnn_cells,bidirectional}.py (`call`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal

from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec, Stack

Kind = Literal["output", "h", "c"]


@dataclass(frozen=True)
class Merge:
    """A merge of the arrays of two directions in `Bidirectional`.

    Args:
        pytorch: the expression over the halves `forward` and `backward`.
        words: the operation in words.
        axis: the last axis of the result.
    """

    pytorch: str
    words: str
    axis: str = "hidden"


MERGES: Mapping[str, Merge] = MappingProxyType(
    {
        "concat": Merge("torch.cat(({forward}, {backward}), dim=-1)", "concatenated", "direction * hidden"),
        "sum": Merge("{forward} + {backward}", "added"),
        "mul": Merge("{forward} * {backward}", "multiplied"),
        "ave": Merge("({forward} + {backward}) / 2", "averaged"),
    }
)


@dataclass(frozen=True)
class Slot:
    """The content of one returned array.

    Args:
        kind: an output, a hidden state or a cell state.
        layer: the number of its layer.
        direction: the number of its direction; None for both, merged.
    """

    kind: Kind
    layer: int
    direction: int | None


@dataclass(frozen=True)
class KerasCall:
    """A layer with the options of its call in Keras."""

    stack: Stack | RecurrentSpec
    options: KerasOptions

    @property
    def top(self) -> int:
        """The layer whose output is returned."""
        return self.stack.num_layers - 1

    @property
    def merge(self) -> Merge | None:
        """The merge of the directions' outputs; None if they are returned separately."""
        mode = self.options.merge_mode if self.stack.bidirectional else None
        return None if mode is None else MERGES[mode]

    @property
    def flags(self) -> dict[str, object]:
        """The flags that determine the results."""
        names = ("return_sequences", "return_state", *(("merge_mode",) if self.stack.bidirectional else ()))
        return {name: getattr(self.options, name) for name in names}

    @property
    def keeps_directions(self) -> bool:
        """Whether the output of each direction can be recovered from the results."""
        return self.merge is None or self.merge is MERGES["concat"]

    @property
    def entries(self) -> tuple[Slot | tuple[Slot, ...], ...]:
        """The results in order: arrays, and lists of arrays for cells."""
        directions = range(self.stack.num_directions)
        outputs = tuple(Slot("output", self.top, side) for side in ((None,) if self.merge else directions))
        return (*outputs, *self._states()) if self.options.return_state else outputs

    def _states(self) -> Iterator[Slot | tuple[Slot, ...]]:
        layers, directions = range(self.stack.num_layers), range(self.stack.num_directions)
        kinds: tuple[Kind, ...] = ("h", "c") if self.stack.has_cell_state else ("h",)
        if self.options.nesting == "cells":
            for side, layer in product(directions, layers):
                slots = tuple(Slot(kind, layer, side) for kind in kinds)
                yield slots[0] if self.options.bare_states else slots
            return
        returned = layers if self.options.nesting == "model" else (self.top,)
        yield from (Slot(kind, layer, side) for layer in returned for side in directions for kind in kinds)

    @property
    def names(self) -> dict[Slot, str]:
        """The place of each array in the `result` of the call, in order."""
        names: dict[Slot, str] = {}
        entries = self.entries
        for index, entry in enumerate(entries):
            place = "result" if len(entries) == 1 else f"result[{index}]"
            names |= {entry: place} if isinstance(entry, Slot) else {slot: f"{place}[{at}]" for at, slot in enumerate(entry)}
        return names

    def meaning(self, slot: Slot) -> str:
        """Describe a returned array in words."""
        apart = self.stack.bidirectional and slot.direction is not None
        of_side = f" of the {'backward' if slot.direction else 'forward'} direction" if apart else ""
        if slot.kind != "output":
            of_layer = f" of layer {slot.layer}" if self.stack.num_layers > 1 else ""
            return f"last {'hidden' if slot.kind == 'h' else 'cell'} state{of_side}{of_layer}"
        order = ", last time step first" if self.options.go_backwards else ""
        read = " read" if self.stack.bidirectional or self.options.go_backwards else ""
        what = f"every time step{order}" if self.options.return_sequences else f"the last time step{read}"
        merged = f", both directions {self.merge.words}" if self.merge else ""
        return f"output{of_side} of {what}{merged}"

    def axes(self, slot: Slot) -> tuple[str, ...]:
        """Return the names of a returned array's axes."""
        is_output = slot.kind == "output"
        time = ("time",) if is_output and self.options.return_sequences else ()
        return ("batch", *time, self.merge.axis if is_output and self.merge else "hidden")
