"""What each framework can hold of the other's recurrent layers: natively, emulated, or refused with a reason.

`limits` is what `convert` and the adapters check of a spec and of the options of a call; its data are in `frameworks.rows`.
`options` says for readers what becomes of every argument of every constructor; the report on options checks it against the
signatures of both frameworks.
"""

from frameworks.counterparts.limits import CALL_LIMITS, LAYER_NAMES, LIMITS, find_limits, require_counterpart
from frameworks.counterparts.options import OPTIONS, REFUSED_ACTIVATIONS, Fate, FateName
from frameworks.rows import Limit

__all__ = [
    "CALL_LIMITS",
    "LAYER_NAMES",
    "LIMITS",
    "OPTIONS",
    "REFUSED_ACTIVATIONS",
    "Fate",
    "FateName",
    "Limit",
    "find_limits",
    "require_counterpart",
]
