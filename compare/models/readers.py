"""The layers that read what another one returns: whether they get the right numbers tells more than that layer alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.judging import Allowance, Judged

Array = npt.NDArray[Any]


def without_false_leads(judged: Sequence[Judged], allowance: Allowance) -> list[Judged]:
    """Return the comparisons of pairs; a layer whose readers all get the right numbers is right, whatever its module does.

    A port may do a part of a layer's work around its module: it flips a sequence, pads it, or adds two directions.

    Args:
        judged: the pairs of two models whose results differ, in the order of the expected model's calls.
        allowance: how far arrays may be apart.
    """
    cleared = list(judged)
    for at, each in enumerate(judged):
        if each.verdict in ("wrong here", "input differs"):
            readers = list(readers_of(judged, at))
            if readers and all(gets_the_same(judged[by], allowance) for by in readers):
                cleared[at] = replace(each, verdict="agrees", input_error=None, output_error=None, alone_error=None)
    return cleared


def readers_of(judged: Sequence[Judged], at: int) -> Iterator[int]:
    """Yield the pairs that read what the expected layer returns, also through layers that only it has."""
    known = [array for array in judged[at].pair.expected[-1].outputs if array.size]
    for by, each in enumerate(judged[at + 1 :], at + 1):
        if not each.pair.expected or not any(_same(one, two) for one in each.pair.expected[0].inputs for two in known):
            continue
        if each.pair.actual:
            yield by
        else:
            known += each.pair.expected[-1].outputs


def _same(one: Array, two: Array) -> bool:
    return one.shape == two.shape and np.array_equal(one, two)


def gets_the_same(judged: Judged, allowance: Allowance) -> bool:
    """Return whether both layers of a pair get the same."""
    if judged.input_error is None:
        return False
    scale = max((float(np.abs(one).max(initial=0)) for one, _ in judged.inputs.values()), default=0.0)
    return judged.input_error <= allowance.of_inputs(judged.pair, scale)
