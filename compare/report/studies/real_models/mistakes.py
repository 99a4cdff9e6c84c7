"""The wrong ports that everyone makes first: the right port of a layer read wrong, or the wrong call of a right one.

All of them run. How a file stores weights is a table (`frameworks.layouts`): reading it wrong is reading it by another table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from compare.report.studies.real_models.replay import Call
from frameworks.files import StoredLayer
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.layouts import CUDNN, KERAS, PYTORCH, Layout
from frameworks.part_layout import Stored


@dataclass(frozen=True)
class Mistake:
    """One wrong port.

    Args:
        change: makes the wrong layer of the right one.
        with_states: whether initial states are passed.
        with_mask: whether the mask is passed.
    """

    change: Callable[[StoredLayer], StoredLayer] = lambda stored: stored
    with_states: bool = True
    with_mask: bool = True

    def applied_to(self, call: Call) -> Call:
        """Give the call without what this mistake leaves out."""
        return lambda inputs, states, mask: call(inputs, states if self.with_states else None, mask if self.with_mask else None)


def _of_cells(change: Callable[[StoredCell], StoredCell]) -> Callable[[StoredLayer], StoredLayer]:
    return lambda stored: replace(stored, cells=tuple(tuple(map(change, cells)) for cells in stored.cells))


def _of_layout(change: Callable[[Layout], Layout]) -> Callable[[StoredLayer], StoredLayer]:
    return _of_cells(lambda cell: replace(cell, layout=change(cell.layout)))


def _untransposed(layout: Layout) -> Layout:
    exchanged = {"from": "hidden", "hidden": "from"}
    stored = layout.recurrent_kernel
    groups = (" ".join(exchanged.get(axis, axis) for axis in group) for group in stored.groups)
    axes = " ".join(f"({group})" if " " in group else group for group in groups)
    return replace(layout, recurrent_kernel=Stored(stored.name, axes))


def _as_torch_has_it(stored: StoredLayer) -> StoredLayer:
    """Make a layer that torch.nn's own can hold: its gates, its reset gate, its direction."""

    def changed(cell: StoredCell) -> StoredCell:
        after = _reset_after(cell)
        return replace(after, spec=replace(after.spec, recurrent_activation="sigmoid"), dropout=0.0, recurrent_dropout=0.0)

    options = stored.options and replace(stored.options, go_backwards=False, dropout=0.0, recurrent_dropout=0.0)
    return replace(_of_cells(changed)(stored), options=options)


def _reset_after(cell: StoredCell) -> StoredCell:
    """Make the cell reset after the product, with its one bias and one of zeros."""
    if cell.spec.reset_after:
        return cell
    bias = cell.arrays["bias"].read()
    arrays = {**cell.arrays, "bias": in_memory(np.stack([bias, np.zeros_like(bias)]))}
    return replace(cell, spec=replace(cell.spec, reset_after=True), arrays=arrays)


def _hard_sigmoid_of_today(cell: StoredCell) -> StoredCell:
    return replace(cell, spec=replace(cell.spec, recurrent_activation="hard_sigmoid"))


MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    {
        "recurrent kernel not transposed": Mistake(_of_layout(_untransposed)),
        "gates left in ONNX's order": Mistake(_of_layout(lambda layout: replace(layout, gates=PYTORCH.gates))),
        "kernels left in CuDNN's layout": Mistake(
            _of_layout(lambda _: replace(CUDNN, kernel=KERAS.kernel, recurrent_kernel=KERAS.recurrent_kernel))
        ),
        "taken for torch.nn's own layer": Mistake(_as_torch_has_it, with_mask=False),
        "reset_after=False taken for True": Mistake(_of_cells(_reset_after)),
        "hard_sigmoid taken for Keras 3's": Mistake(_of_cells(_hard_sigmoid_of_today)),
        "mask left out": Mistake(with_mask=False),
        "states not passed on": Mistake(with_states=False),
    }
)
"""By what is wrong; sources.json says which of them a layer is shown with."""
