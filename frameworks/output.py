"""The outputs and final states of a recurrent layer, in the same shapes for every framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class RecurrentOutput:
    """All outputs and final states of one call.

    Args:
        output: (batch, time, direction * hidden), the output of the last layer in input time order; None if unknown.
        h_n: (layer * direction, batch, hidden), in which row `directions * layer + direction` is that of one layer and
            direction; None if unknown.
        c_n: (layer * direction, batch, hidden); None if there is no cell state, or if unknown.

    Example:
        >>> import numpy as np, torch
        >>> from gatewise import adapt
        >>> result = adapt(torch.nn.LSTM(3, 4, bidirectional=True)).forward(np.zeros((2, 5, 3), "float32"))
        >>> result.output.shape, result.h_n.shape, result.c_n.shape
        ((2, 5, 8), (2, 2, 4), (2, 2, 4))
    """

    output: Array | None
    h_n: Array | None
    c_n: Array | None = None
