"""What each framework holds of the other's recurrent layers: natively, emulated, or refused and why.

`limits` is what `convert` and the adapters ask of a spec and of the options of a call; its data stand in `frameworks.rows`.
`options` says what becomes of every argument of every constructor, for readers, and the report on options holds it against both
frameworks' signatures.
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
