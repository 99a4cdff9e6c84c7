"""The picture of diverging trainings: the distance of the parameters from Keras's, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.groundwork.canvas import make_canvas, save

_COLUMNS = 3
_FLOOR = 1e-17
"""The height at which a difference of exactly zero is drawn."""
_WAYS = {
    "stock": ("torch's class, defaults", "#ee6677", "o", 8),
    "matching": ("torch's class, closest settings", "#ccbb44", "s", 5),
    "ours": ("optimizer_like", "#4477aa", "^", 3),
}


def draw_optimizers(panels: Mapping[str, Mapping[str, Any]], every: int, path: Path) -> None:
    """Draw a panel for each optimizer, distances over steps on a logarithmic axis, and write them as PNG.

    Args:
        panels: the distances, by optimizer and way.
        every: the number of steps between two distances.
        path: path of the PNG file.
    """
    rows = -(-len(panels) // _COLUMNS)
    figure, axes = make_canvas(rows, _COLUMNS, (12, 3.4 * rows))
    figure.subplots_adjust(left=0.07, bottom=0.16, top=0.93, wspace=0.06, hspace=0.24)
    for (name, curves), panel in zip(panels.items(), axes.flat, strict=True):
        for way, (label, colour, marker, size) in _WAYS.items():
            distances = np.maximum(curves[way], _FLOOR)
            steps = every * np.arange(1, len(distances) + 1)
            panel.semilogy(steps, distances, label=label, color=colour, marker=marker, markersize=size)
        panel.set(title=name, ylim=(_FLOOR / 3, 30), yticks=[1e-16, 1e-12, 1e-8, 1e-4, 1])
        panel.grid(visible=True, color="#dddddd", linewidth=0.6)
    for panel in axes[-1]:
        panel.set_xlabel("step")
    for panel in axes[:, 0]:
        panel.set_ylabel("largest difference")
    for panel in axes[:, 1:].flat:
        panel.tick_params(labelleft=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower center", ncols=len(_WAYS), frameon=False)
    save(figure, path)
