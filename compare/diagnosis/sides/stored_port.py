"""A port that is a layer of a file, run with other weights: nothing is written into a file."""

from __future__ import annotations

from dataclasses import dataclass, fields

from frameworks.files import StoredLayer
from frameworks.weights import RecurrentWeights


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _Rewritten(StoredLayer):
    """A stored layer with weights in memory."""

    held: RecurrentWeights

    @property
    def weights(self) -> RecurrentWeights:
        """The weights in memory."""
        return self.held


def rewritten(layer: StoredLayer, weights: RecurrentWeights) -> StoredLayer:
    """Return a stored layer that computes with other weights."""
    return _Rewritten(**{each.name: getattr(layer, each.name) for each in fields(StoredLayer)}, held=weights)
