"""The table of mistakes: each identifier, and the ways in which a porter makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.settings import Needs

Place = tuple[int, int]


@dataclass(frozen=True)
class Expected:
    """Where a mistake was made; None where the axis says nothing about it.

    Args:
        places: each (layer, direction).
        parts: "kernel", "recurrent kernel", "bias", "recurrent bias".
        gates: by name.
        results: by position.
        implied: whether the name of the mistake says the part.
        same: other mistakes that are the same in what is done, as where only one result is returned.
        brings: mistakes that this one cannot be made without, and which may be named beside it.
    """

    places: frozenset[Place] | None = None
    parts: frozenset[str] | None = None
    gates: frozenset[str] | None = None
    results: frozenset[int] | None = None
    implied: bool = False
    same: frozenset[str] = frozenset()
    brings: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Way:
    """A way to make a mistake.

    Args:
        make: changes a plan, and returns where; raises UnfitError if it cannot be made there.
        touches: what no other mistake of the same port may touch.
        needs: what the setting must be.
    """

    make: Callable[[np.random.Generator, Plan], Expected]
    touches: frozenset[str]
    needs: Needs

    @property
    def hidden(self) -> bool:
        """Whether it can be told without observing the weights."""
        return "black box" in self.needs.get("form", ("black box",))


WAYS: dict[str, list[Way]] = {}


def way(
    identifier: str, *touches: str, **needs: tuple[Any, ...]
) -> Callable[[Callable[[np.random.Generator, Plan], Expected]], Callable[[np.random.Generator, Plan], Expected]]:
    """Enter a function into the table."""

    def enter(make: Callable[[np.random.Generator, Plan], Expected]) -> Callable[[np.random.Generator, Plan], Expected]:
        WAYS.setdefault(identifier, []).append(Way(make, frozenset(touches), needs))
        return make

    return enter


CALLED: Mapping[str, tuple[Any, ...]] = {"form": ("module", "black box")}
"""What a mistake needs that is made around the layer."""

OBSERVED: Mapping[str, tuple[Any, ...]] = {"form": ("layer", "cell", "module", "emulated")}
"""What a mistake needs that only the weights show: as a black box it would be one of endlessly many."""

GATED = ("lstm", "gru", "gru-before")
ONE_BIAS = ("lstm", "gru-before", "rnn")
ALL_PARTS = ("kernel", "recurrent kernel", "bias", "recurrent bias")


def confine(rng: np.random.Generator, plan: Plan) -> list[Place]:
    """Return where a mistake of copying is made: mostly everywhere, as by a function that copies each layer."""
    places = list(plan.setting.places)
    dice = rng.random()
    if dice < 0.6:  # a share
        return places
    layer, direction = places[int(rng.integers(len(places)))]
    return [place for place in places if place[0] == layer and (dice < 0.8 or place[1] == direction)]


def expect(places: Iterable[Place], *parts: str, gates: Iterable[str] | None = None, implied: bool = True) -> Expected:
    """Return where in the weights a mistake was made."""
    return Expected(frozenset(places), frozenset(parts), None if gates is None else frozenset(gates), implied=implied)


def pick(rng: np.random.Generator, choices: Iterable[Any]) -> Any:
    """Return one of several."""
    kept = list(choices)
    return kept[int(rng.integers(len(kept)))]
