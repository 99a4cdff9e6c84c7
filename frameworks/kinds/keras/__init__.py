"""The layers of Keras: those that are not recurrent, wrappers and models in `KERAS`, recurrent ones in `RECURRENT`.

Source: the constructors in keras/src/layers (Keras 3) and tf_keras/src/layers (Keras 2); for masks, each layer's `compute_mask`
and `supports_masking`.
"""

from __future__ import annotations

from frameworks.kinds.keras import arranging, elementwise, recurrent, weighted, windows
from frameworks.kinds.records import Kind
from frameworks.kinds.table import Table

KERAS = Table(
    (
        *weighted.DENSE,
        *windows.CONVOLVING,
        *weighted.NORMALISING,
        *weighted.ATTENDING,
        *elementwise.ACTIVATING,
        *elementwise.OF_TRAINING,
        *elementwise.OTHERS,
        *arranging.MERGING,
        *arranging.REARRANGING,
        *windows.POOLING,
        *windows.RESIZING,
        *recurrent.CONVOLVING,
        *recurrent.AROUND_OTHERS,
    )
)

RECURRENT = Table(recurrent.CELLS)
"""The layers and cells that are read by their equations (`frameworks.cells`)."""


def kind_of(name: str) -> Kind:
    """Return the record of any Keras layer by its class, or an empty record for an unknown class."""
    return RECURRENT.kinds.get(name) or KERAS.get(name)
