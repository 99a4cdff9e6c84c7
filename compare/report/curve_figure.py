"""Figures of a training: curves over the steps, and attention maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compare.groundwork.canvas import make_canvas, save
from compare.report.results import Value

_STYLES = ("-", "--", ":", "-.")
Curves = Mapping[str, Value]
"""[step, value] pairs, by label."""


def draw_curves(panels: Sequence[tuple[str, str, Curves]], path: Path) -> None:
    """Draw panels of curves over steps, side by side, and write them as PNG.

    Args:
        panels: (title, "linear" or "log", curves) of each panel; a log axis leaves zeros out.
        path: path of the PNG file.
    """
    figure, axes = make_canvas(1, len(panels), (5.2 * len(panels), 3.9))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.14, top=0.9, wspace=0.24)
    for panel, (title, scale, curves) in zip(axes[0], panels, strict=True):
        for at, (label, curve) in enumerate(curves.items()):
            points = [(step, value) for step, value in curve.value if scale == "linear" or value > 0]
            if points:
                panel.plot(*zip(*points, strict=True), label=label, linestyle=_STYLES[at % len(_STYLES)], linewidth=1.6)
        panel.set_title(title, fontsize=11)
        panel.set_xlabel("steps")
        panel.set_yscale(scale)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8.5, framealpha=0.8)
    save(figure, path)


def draw_attention(maps: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the attention maps of some words, one row of panels per framework, and write them as PNG.

    Args:
        maps: the maps by word and framework: "map", (time, source), with "sources" and "targets", the labels of its axes.
        path: path of the PNG file.
    """
    frameworks = list(next(iter(maps.values())))
    figure, axes = make_canvas(len(frameworks), len(maps), (3.6 * len(maps), 3.5 * len(frameworks)))
    figure.subplots_adjust(left=0.055, right=0.99, bottom=0.06, top=0.93, wspace=0.2, hspace=0.28)
    for column, (word, by_framework) in enumerate(maps.items()):
        for row, framework in enumerate(frameworks):
            panel, attention = axes[row, column], by_framework[framework]
            panel.imshow(attention["map"], cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            panel.set_xticks(range(len(attention["sources"])), attention["sources"])
            panel.set_yticks(range(len(attention["targets"])), attention["targets"])
            panel.set_title(f"{word}, {framework}", fontsize=11)
    save(figure, path)
