"""The limits of each framework's own layers on specs and call options, as declared in `frameworks.rows`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from frameworks.cells import CellName
from frameworks.errors import NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.rows import BETWEEN_LAYERS, FRAMEWORKS, FrameworkName, Limit, row_of
from frameworks.spec import RecurrentSpec

LAYER_NAMES: Mapping[str, Mapping[CellName, str]] = MappingProxyType({row.name: row.cells for row in FRAMEWORKS})
"""The name of each framework's own layer, by framework and cell."""

LIMITS: tuple[Limit, ...] = tuple(limit for row in FRAMEWORKS for limit in row.limits)
"""The declared limits on fields of the spec."""

CALL_LIMITS: tuple[Limit, ...] = tuple(limit for row in FRAMEWORKS for limit in row.call_limits)
"""The limits on call options that a counterpart would silently ignore, so that `convert` refuses them."""


def find_limits(
    spec: RecurrentSpec, to: FrameworkName, options: KerasOptions | None = None, dropout: float = 0.0
) -> Iterator[tuple[Limit, object]]:
    """Yield each limit of a framework that a layer exceeds, with the offending value.

    Args:
        spec: the spec of the layer.
        to: "keras" or "pytorch" ("torch" is the same).
        options: the options of its call, or None if it has no Keras flags.
        dropout: the dropout rate between its layers.

    Raises:
        InvalidValueError: for an unknown framework.

    Example:
        >>> from frameworks.counterparts import find_limits
        >>> from gatewise import RecurrentSpec
        >>> spec = RecurrentSpec("gru", input_size=3, hidden_size=4, reset_after=False)
        >>> [(limit.field, limit.held, value) for limit, value in find_limits(spec, "pytorch")]
        [('reset_after', (True,), False)]
    """
    row = row_of(to)
    values = {**vars(spec), **({} if options is None else vars(options)), BETWEEN_LAYERS: dropout}
    for limit in (*row.spec_limits, *row.call_limits):
        beyond = limit.field in values and spec.cell in limit.cells and values[limit.field] not in limit.held
        if beyond and (limit.field != "merge_mode" or spec.bidirectional):
            yield limit, values[limit.field]


def require_counterpart(
    spec: RecurrentSpec, to: FrameworkName, options: KerasOptions | None = None, dropout: float = 0.0
) -> None:
    """Raise an error for a layer that a framework's own layers cannot represent.

    Args:
        spec: the spec of the layer.
        to: "keras" or "pytorch" ("torch" is the same).
        options: the options of its call, or None if it has no Keras flags.
        dropout: the dropout rate between its layers.

    Raises:
        NoCounterpartError: with the field, its value, why it is not supported and what to do instead.

    Example:
        >>> from frameworks.counterparts import require_counterpart
        >>> from gatewise import RecurrentSpec
        >>> require_counterpart(RecurrentSpec("gru", input_size=3, hidden_size=4, reset_after=False), "pytorch")
        Traceback (most recent call last):
        ...
        frameworks.errors.NoCounterpartError: reset_after of the GRU must be True to fit pytorch's own nn.GRU, but is False: ...
    """
    row = row_of(to)
    for limit, value in find_limits(spec, to, options, dropout):
        held = " or ".join(map(repr, limit.held)) if len(limit.held) < 4 else "one of its built-in ones"
        raise NoCounterpartError.because(
            f"{limit.field} of the {LAYER_NAMES['keras'][spec.cell]}",
            must=f"be {held} to fit {row.name}'s own {row.cells.get(spec.cell, 'layers')}",
            but=f"is {value!r}: {limit.why}",
            remedy=f"{limit.remedy}.",
        )
