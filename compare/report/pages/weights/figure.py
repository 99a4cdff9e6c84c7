"""The picture of gate blocks: the kernels of an LSTM and a GRU as Keras and PyTorch store them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compare.groundwork.canvas import make_canvas, save

_COLOURS = {
    "input": "#4477aa",
    "forget": "#ee6677",
    "candidate": "#228833",
    "output": "#ccbb44",
    "update": "#66ccee",
    "reset": "#aa3377",
}
_INPUTS, _UNITS = 5.0, 4.0
_CELLS = ("lstm", "gru")


def draw_gate_blocks(layouts: Mapping[str, Any], path: Path) -> None:
    """Draw an LSTM's kernel above a GRU's, in Keras's layout beside PyTorch's, and write them as PNG."""
    figure, axes = make_canvas(2, 2, (11, 9), width_ratios=(3, 1.2))
    for cell, (left, right) in zip(_CELLS, axes, strict=True):
        layout, name = layouts[cell], cell.upper()
        _draw_side_by_side(left, layout["keras gates"].value, f"Keras {name}: kernel")
        _draw_one_below_the_other(right, layout["pytorch gates as copied"].value, f"PyTorch nn.{name}: weight_ih_l0")
    save(figure, path)


def _draw_side_by_side(panel: Any, gates: Sequence[str], title: str) -> None:
    for index, gate in enumerate(gates):
        _draw_block(panel, index * _UNITS, 0, _UNITS, _INPUTS, gate)
    _frame(panel, len(gates) * _UNITS, _INPUTS, title, "gate x hidden", "input")


def _draw_one_below_the_other(panel: Any, gates: Sequence[str], title: str) -> None:
    for index, gate in enumerate(gates):
        _draw_block(panel, 0, index * _UNITS, _INPUTS, _UNITS, gate)
    _frame(panel, _INPUTS, len(gates) * _UNITS, title, "input", "gate x hidden")


def _draw_block(panel: Any, left: float, top: float, width: float, height: float, gate: str) -> None:
    from matplotlib.patches import Rectangle

    panel.add_patch(Rectangle((left, top), width, height, facecolor=_COLOURS[gate], edgecolor="white", linewidth=3))
    panel.text(
        left + width / 2, top + height / 2, gate, ha="center", va="center", color="white", fontsize=10, fontweight="bold"
    )


def _frame(panel: Any, width: float, height: float, title: str, across: str, down: str) -> None:
    panel.set(xlim=(0, width), ylim=(height, 0), aspect="equal", title=title, xlabel=across, ylabel=down, xticks=[], yticks=[])
    for spine in panel.spines.values():
        spine.set_visible(False)
