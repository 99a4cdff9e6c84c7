"""The numbers that options of Keras's layers can be: its constructors refuse all others, and a file may state any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Range:
    """The numbers that an option, or each number of it, can be.

    Args:
        least: the least one.
        most: the largest one; None for any.
        whole: whether they are whole.
        also: a number besides them; None for none.
    """

    least: float
    most: float | None = None
    whole: bool = True
    also: int | None = None

    def __str__(self) -> str:
        """Describe it as the end of "must be"."""
        kind = "a whole number" if self.whole else "a number"
        bounds = f"from {self.least:g} on" if self.most is None else f"from {self.least:g} to {self.most:g}"
        return f"{kind} {bounds}{'' if self.also is None else f', or {self.also}'}"

    def holds(self, value: Any) -> bool:
        """Return whether it has a number; anything else than numbers is none of its business."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value == self.also:
            return True
        return value >= self.least and (self.most is None or value <= self.most) and not (self.whole and value % 1)


_COUNT, _FROM_0, _NOT_NEGATIVE, _SHARE = Range(1), Range(0), Range(0, whole=False), Range(0, 1, whole=False)

RANGES: Mapping[str, Range] = MappingProxyType(
    {
        **dict.fromkeys(("units", "filters", "input_dim", "output_dim", "n", "depth_multiplier", "groups"), _COUNT),
        **dict.fromkeys(("kernel_size", "strides", "dilation_rate", "pool_size", "size", "output_size"), _COUNT),
        **dict.fromkeys(("num_heads", "key_dim", "value_dim", "sliding_window"), _COUNT),
        **dict.fromkeys(("head_dim", "num_query_heads", "num_key_value_heads", "dims", "shared_axes"), _COUNT),
        **dict.fromkeys(("padding", "cropping", "output_padding"), _FROM_0),
        **dict.fromkeys(("rate", "dropout", "recurrent_dropout", "momentum"), _SHARE),
        **dict.fromkeys(("epsilon", "stddev", "max_value", "threshold", "theta"), _NOT_NEGATIVE),
        "target_shape": Range(0, also=-1),
    }
)
"""By the name of an option."""

_OWN: Mapping[tuple[str, str], Range] = MappingProxyType({("GroupNormalization", "groups"): Range(1, also=-1)})
"""By kind and option, where a kind differs."""

AXES = ("axis", "axes")
"""The options that name axes of what a layer reads, counted from the front or from the end."""


def out_of_range(class_name: str, config: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, Any, Range]]:
    """Yield the options of a config that have a value out of their range: as the file names it, the value, and the range.

    Args:
        class_name: the layer's class, without the package.
        config: the arguments of its constructor.
        names: today's name of each option of the class.
    """
    for name, value in config.items():
        own = names.get(name, "")
        within = _OWN.get((class_name, own), RANGES.get(own))
        if within is not None and not all(map(within.holds, numbers_in(value))):
            yield name, value, within


def numbers_in(value: Any) -> Iterator[Any]:
    """Yield the numbers of an option, which may be nested."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from numbers_in(each)
    else:
        yield value
