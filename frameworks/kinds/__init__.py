"""The kinds of other (non-recurrent) layers: one table per framework, one record per kind.

A record lists the options of a kind with their defaults, its arrays with their axes, and how it treats masks. Keras names are
the common ones: the table of another framework gives the Keras name of each of its kinds, options and arrays.
`OPERATORS` lists the operators of ONNX, with the module of torch that each of them computes. `FAMILIES` has one name for
the kinds of all frameworks that stand for each other in a model and its port.
"""

from frameworks.kinds.families import FAMILIES, AxesRule, Family, family_computing, family_of
from frameworks.kinds.keras import KERAS, RECURRENT, kind_of
from frameworks.kinds.onnx import OPERATORS, Operator
from frameworks.kinds.partners import keras_kind, permutation
from frameworks.kinds.pytorch import PYTORCH
from frameworks.kinds.records import ANY_AXES, Array, Dated, Kind, Masks, Option
from frameworks.kinds.resolving import known_options, left_out, options_of
from frameworks.kinds.table import Table

__all__ = [
    "ANY_AXES",
    "FAMILIES",
    "KERAS",
    "OPERATORS",
    "PYTORCH",
    "RECURRENT",
    "Array",
    "AxesRule",
    "Dated",
    "Family",
    "Kind",
    "Masks",
    "Operator",
    "Option",
    "Table",
    "family_computing",
    "family_of",
    "keras_kind",
    "kind_of",
    "known_options",
    "left_out",
    "options_of",
    "permutation",
]
