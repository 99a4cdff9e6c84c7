"""The picture of hidden and cell states: LSTM beside GRU, Keras over PyTorch, and their difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.groundwork.canvas import make_canvas, save

_COLUMNS = (("lstm", "h", "LSTM, hidden state h"), ("lstm", "c", "LSTM, cell state c"), ("gru", "h", "GRU, hidden state h"))
_ROWS = (("keras", "Keras"), ("pytorch", "PyTorch"), ("signed difference", "Keras - PyTorch"))


def draw_hidden_states(traces: Mapping[str, Any], path: Path) -> None:
    """Draw nine heat maps, units over time steps, and write them as PNG."""
    figure, axes = make_canvas(len(_ROWS), len(_COLUMNS), (12, 7))
    for column, (cell, state, title) in enumerate(_COLUMNS):
        for row, (key, label) in enumerate(_ROWS):
            trace = np.array(traces[cell][state][key].value).T
            reach = float(np.abs(trace).max()) or 1.0
            colours = "PuOr" if key == "signed difference" else "RdBu_r"
            panel = axes[row, column]
            image = panel.imshow(trace, aspect="auto", cmap=colours, vmin=-reach, vmax=reach, interpolation="nearest")
            figure.colorbar(image, ax=panel, format="%.0e" if key == "signed difference" else "%.1f")
            if row == 0:
                panel.set_title(title)
            if row == len(_ROWS) - 1:
                panel.set_xlabel("time step")
            if column == 0:
                panel.set_ylabel(f"{label}\nunit")
    save(figure, path)
