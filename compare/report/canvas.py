"""Making and saving a figure the same way every time, off screen."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from frameworks.errors import MissingFrameworkError


def load_matplotlib() -> None:
    """Import matplotlib, which takes a second.

    Raises:
        MissingFrameworkError: if it is not installed.
    """
    try:
        import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingFrameworkError.because(
            "matplotlib",
            must="be importable to draw the figures",
            but=f"importing it failed with: {error}",
            remedy="Install it with: pip install 'gatewise[reports]'.",
        ) from error


def make_canvas(
    rows: int, columns: int, size: tuple[float, float], width_ratios: tuple[float, ...] | None = None
) -> tuple[Any, Any]:
    """Give a figure and its axes, (rows, columns), without a window system.

    Args:
        rows: of axes.
        columns: of axes.
        size: in inches.
        width_ratios: of the columns; equal when None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No layout engine: it draws everything several times over.
    figure = Figure(figsize=size, facecolor="white")
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.07, top=0.95, wspace=0.16, hspace=0.22)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, width_ratios=width_ratios)


def save(figure: Any, path: Path) -> None:
    """Write a PNG file that does not change with the moment."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
