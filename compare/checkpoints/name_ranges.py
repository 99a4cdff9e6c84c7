"""Names that differ only in numbers, collapsed to one: `layers.{0-23}.norm`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

_FEWEST = 3
_NUMBER = re.compile(r"(\d+)")


def together(names: Iterable[str]) -> list[str]:
    """Collapse three or more names that differ only in numbers, if the numbers form complete ranges.

    Args:
        names: the names, in order; "" is shown as ''.
    """
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for name in dict.fromkeys(names):
        parts = _NUMBER.split(name or repr(name))
        alike.setdefault(tuple(parts[::2]), []).append(parts[1::2])
    return [name for words, numbers in alike.items() for name in _collapse(words, numbers)]


def _collapse(words: Sequence[str], numbers: Sequence[Sequence[str]]) -> list[str]:
    places = [sorted(set(column), key=int) for column in zip(*numbers, strict=True)]
    ranges = all(int(place[-1]) - int(place[0]) == len(place) - 1 for place in places)
    whole = ranges and math.prod(map(len, places)) == len(numbers) >= _FEWEST
    shown = [[place[0] if len(place) == 1 else f"{{{place[0]}-{place[-1]}}}" for place in places]] if whole else numbers
    return ["".join(part for pair in zip(words, (*each, ""), strict=True) for part in pair) for each in shown]
