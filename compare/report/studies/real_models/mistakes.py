"""The usual wrong ports: a file that is misread, or a correct port that is called wrongly.

None of them raises an error. The layout of a file is a table (`frameworks.layouts`); misreading is using another table.
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
        change: a function that makes the wrong layer from the correct one.
        with_states: whether initial states are passed.
        with_mask: whether the mask is passed.
    """

    change: Callable[[StoredLayer], StoredLayer] = lambda stored: stored
    with_states: bool = True
    with_mask: bool = True

    def applied_to(self, call: Call) -> Call:
        """Return the call without the arguments that this mistake leaves out."""
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
    """Force a layer into the options of torch.nn: its activations, reset gate and direction."""

    def changed(cell: StoredCell) -> StoredCell:
        after = _reset_after(cell)
        return replace(after, spec=replace(after.spec, recurrent_activation="sigmoid"), dropout=0.0, recurrent_dropout=0.0)

    options = stored.options and replace(stored.options, go_backwards=False, dropout=0.0, recurrent_dropout=0.0)
    return replace(_of_cells(changed)(stored), options=options)


def _reset_after(cell: StoredCell) -> StoredCell:
    """Make the cell apply the reset gate after the product, with its one bias and a second one of zeros."""
    if cell.spec.reset_after:
        return cell
    bias = cell.arrays["bias"].read()
    arrays = {**cell.arrays, "bias": in_memory(np.stack([bias, np.zeros_like(bias)]))}
    return replace(cell, spec=replace(cell.spec, reset_after=True), arrays=arrays)


def _hard_sigmoid_of_today(cell: StoredCell) -> StoredCell:
    return replace(cell, spec=replace(cell.spec, recurrent_activation="hard_sigmoid"))


MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    {
        "recurrent-kernel-not-transposed": Mistake(_of_layout(_untransposed)),
        "onnx-gate-order": Mistake(_of_layout(lambda layout: replace(layout, gates=PYTORCH.gates))),
        "cudnn-layout": Mistake(
            _of_layout(lambda _: replace(CUDNN, kernel=KERAS.kernel, recurrent_kernel=KERAS.recurrent_kernel))
        ),
        "taken-for-torch-nn": Mistake(_as_torch_has_it, with_mask=False),
        "reset-after": Mistake(_of_cells(_reset_after)),
        "keras3-hard-sigmoid": Mistake(_of_cells(_hard_sigmoid_of_today)),
        "mask-left-out": Mistake(with_mask=False),
        "states-not-passed-on": Mistake(with_states=False),
    }
)
"""The mistakes by identifier; sources.json lists those of each layer."""
