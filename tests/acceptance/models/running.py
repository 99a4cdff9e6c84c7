"""Running the cases: all, a share of them, or one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.acceptance.models.drawn import cases, draw
from tests.acceptance.models.judging import ORDERS, Outcome, judge


def run(seed: int, share: float = 1.0, only: int | None = None) -> Iterator[Outcome]:
    """Yield the outcomes of all cases or of one, with either model expected; or of a drawn share, with one expected."""
    for number, orders in sorted(_chosen(seed, share).items() if only is None else [(only, ORDERS)]):
        case = cases()[number]
        drawn = draw(case, seed)
        yield from (judge(case, drawn, expected) for expected in orders)


def _chosen(seed: int, share: float) -> dict[int, tuple[str, ...]]:
    """Return the numbers of the cases to be run, and which models are expected there."""
    if share == 1:
        return dict.fromkeys(range(len(cases())), ORDERS)
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for kind in dict.fromkeys(case.kind for case in cases()):
        numbers = [case.number for case in cases() if case.kind == kind]
        chosen += map(int, rng.choice(numbers, round(share * len(numbers)), replace=False))
    return {number: (str(rng.choice(ORDERS)),) for number in chosen}
