"""Figures, made and saved off screen in the same way every time."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from frameworks.errors import MissingFrameworkError


def load_matplotlib() -> None:
    """Import matplotlib, which takes a second.

    Raises:
        MissingFrameworkError: if matplotlib is not installed.
    """
    try:
        import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingFrameworkError.of("matplotlib", error, extra="reports", to="draw the figures") from error


def make_canvas(
    rows: int, columns: int, size: tuple[float, float], width_ratios: tuple[float, ...] | None = None
) -> tuple[Any, Any]:
    """Return a figure and its axes, (rows, columns), without a window system.

    Args:
        rows: number of rows of axes.
        columns: number of columns of axes.
        size: width and height of the figure, in inches.
        width_ratios: relative widths of the columns; equal when None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No layout engine: it would draw everything several times.
    figure = Figure(figsize=size, facecolor="white")
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.07, top=0.95, wspace=0.16, hspace=0.22)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, width_ratios=width_ratios)


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, without metadata that changes from run to run."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
