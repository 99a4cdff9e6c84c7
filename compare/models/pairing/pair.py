"""A pair of layers in one call of both models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compare.models.recording.recorded import Recorded


@dataclass(frozen=True, eq=False)
class Pair:
    """Layers that correspond: usually one of each model; a stack, or a layer and its activation, may be several in one of them.

    Args:
        expected: the calls of the expected model's layers, in order; () if there is no partner.
        actual: those of the actual model's.
    """

    expected: tuple[Recorded, ...]
    actual: tuple[Recorded, ...]

    @property
    def names(self) -> tuple[str | None, str | None]:
        """The names of both sides, joined with " + "; None for a side without a layer."""
        one, two = (" + ".join(dict.fromkeys(call.name for call in calls)) or None for calls in (self.expected, self.actual))
        return one, two

    @property
    def natives(self) -> tuple[Any, Any]:
        """The first layer of both sides."""
        one, two = (calls[0].native if calls else None for calls in (self.expected, self.actual))
        return one, two

    @property
    def is_recurrent(self) -> bool:
        """Whether both sides are recurrent layers that can be adapted."""
        return bool(self.expected and self.actual) and all(
            calls[0].adapter is not None for calls in (self.expected, self.actual)
        )
