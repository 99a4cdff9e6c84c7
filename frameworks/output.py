"""What a recurrent layer computes for a batch, in one shape for every framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class RecurrentOutput:
    """All outputs and final states of one call.

    Args:
        output: (batch, time, direction * hidden), of the last layer, in input time order; None where it is not known.
        h_n: (layer * direction, batch, hidden); row `directions * layer + direction`; None where it is not known.
        c_n: (layer * direction, batch, hidden); None where there is no cell state, or where it is not known.
    """

    output: Array | None
    h_n: Array | None
    c_n: Array | None = None
