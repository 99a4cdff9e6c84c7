"""The kinds of other layers, those that are not recurrent: one table a framework, one record a kind.

A record says which options and arrays a kind has, with their defaults and axes, and whether it hands masks on. Keras's words
are the common ones: another framework's table says what each of its kinds, options and arrays means in Keras.
"""

from frameworks.kinds.keras import KERAS
from frameworks.kinds.partners import keras_kind, permutation
from frameworks.kinds.pytorch import PYTORCH
from frameworks.kinds.records import ANY_AXES, Array, Dated, Kind, Masks, Option
from frameworks.kinds.table import Table

__all__ = [
    "ANY_AXES",
    "KERAS",
    "PYTORCH",
    "Array",
    "Dated",
    "Kind",
    "Masks",
    "Option",
    "Table",
    "keras_kind",
    "permutation",
]
