"""How each framework supports the other's recurrent layers: natively, emulated, or refused with a reason.

`limits` has the limits on specs and call options that `convert` and the adapters check; its data are in `frameworks.rows`.
`options` lists for readers how every constructor argument is supported; the report on options checks it against the signatures
of both frameworks.
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
