"""The picture of masked time steps: the outputs, by mask and by how they are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compare.groundwork.canvas import make_canvas, save

_ROWS = ("right padding", "left padding", "holes")
_TITLES = {
    "keras": "Keras LSTM",
    "keras zero_output_for_mask": "Keras LSTM,\nzero_output_for_mask",
    "keras bidirectional": "Keras Bidirectional",
    "packed": "nn.LSTM, packed by length",
    "unpacked": "nn.LSTM, unpacked",
}
_STRIP = 0.7
"""The height of the strip that marks masked steps, in units."""


def draw_masking(picture: Mapping[str, Any], path: Path) -> None:
    """Draw one heat map, units over time steps, for each mask and each way, and write them as PNG."""
    mask = np.array(picture["mask"].value)
    outputs = {name: np.array(value.value) for name, value in picture["outputs"].items()}
    figure, axes = make_canvas(len(_ROWS), len(outputs), (15, 7))
    figure.subplots_adjust(left=0.055, right=0.93, top=0.9, wspace=0.1, hspace=0.25)
    reach = max(float(np.abs(output).max()) for output in outputs.values())
    for column, (name, output) in enumerate(outputs.items()):
        for row, label in enumerate(_ROWS):
            panel = axes[row, column]
            image = _draw_panel(panel, output[row].T, mask[row], reach)
            if row == 0:
                panel.set_title(_TITLES[name], fontsize=11, pad=8)
            if row == len(_ROWS) - 1:
                panel.set_xlabel("time step")
            if column == 0:
                panel.set_ylabel(f"{label}\nunit")
    figure.colorbar(image, cax=figure.add_axes((0.945, 0.2, 0.012, 0.6)), format="%.1f")
    save(figure, path)


def _draw_panel(panel: Any, trace: Any, valid: Sequence[bool], reach: float) -> Any:
    """Draw one trace, (hidden, time), below a strip that is dark at masked steps; steps of exact zeros are hatched."""
    from matplotlib.patches import Rectangle

    image = panel.imshow(trace, aspect="auto", cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")
    height = _STRIP * len(trace) / 4
    for step, counts in enumerate(valid):
        colour = "#dddddd" if counts else "#333333"
        panel.add_patch(
            Rectangle((step - 0.46, -0.6 - height), 0.92, height, facecolor=colour, edgecolor="none", clip_on=False)
        )
        if not trace[:, step].any():
            panel.add_patch(
                Rectangle((step - 0.5, -0.5), 1, len(trace), facecolor="none", edgecolor="#bbbbbb", hatch="////", linewidth=0)
            )
    panel.set(ylim=(len(trace) - 0.5, -0.7 - height), xticks=range(len(valid)), yticks=range(len(trace)))
    for spine in panel.spines.values():
        spine.set_visible(False)
    return image
