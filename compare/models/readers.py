"""The layers that read what another one returns: whether they get the right numbers tells more than that layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.allowance import Allowance, size_of
from compare.models.judged import Judged
from compare.models.pairing.axes import difference
from compare.models.unread import arrays_differ

Array = npt.NDArray[Any]
_SHOWN = 0.1
"""Which share of what is off in a layer may be allowed in what reads it, so that it would show there."""


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
            readers = readers_of(judged, at)
            if readers and all(gets_the_same(judged[by], allowance) for by in readers):
                cleared[at] = _cleared(each)
    return cleared


def without_parts(judged: Sequence[Judged], allowance: Allowance, results: Sequence[tuple[Array, Array]]) -> list[Judged]:
    """Return the same for two models whose results agree, where what reads a layer must be able to show what is off in it.

    A layer whose arrays differ is wrong, even if nothing shows it.

    Args:
        judged: as in `without_false_leads`.
        allowance: how far arrays may be apart.
        results: the results of the expected model, and those of the actual one.
    """
    cleared = list(judged)
    for at, each in enumerate(judged):
        if each.verdict in ("wrong here", "input differs") and not arrays_differ(each.pair, allowance.tolerance):
            readers, made = _read(judged, at)
            read = [
                (both, allowance.of_inputs(judged[by].pair, both[0])) for by in readers for both in judged[by].inputs.values()
            ]
            for number, both in enumerate(results):
                if any(_same(both[0], one) for one in made):
                    read.append((both, allowance.of_result(number, both[0])))
            known = all(judged[by].input_error is not None for by in readers)
            if each.passes_on or (read and known and all(_shows(*both, allowed, _off(each)) for both, allowed in read)):
                cleared[at] = _cleared(each)
    return cleared


def _off(judged: Judged) -> float:
    """Return how far the results of a pair are apart, in the model or alone; their size if that is not known."""
    known = [each for each in (judged.output_error, judged.alone_error) if each is not None]
    return max(known) if known else size_of(judged.pair.expected[-1].outputs)


def _shows(wanted: Array, found: Array, allowed: float, off: float) -> bool:
    """Return whether two arrays are the same, and would not be if they held what is off by so much."""
    error = difference(wanted, found)
    return error is not None and error <= allowed < _SHOWN * off


def _cleared(judged: Judged) -> Judged:
    return replace(judged, verdict="agrees", input_error=None, output_error=None, alone_error=None)


def readers_of(judged: Sequence[Judged], at: int) -> list[int]:
    """Return the pairs that read what the expected layer returns, also through layers that only it has."""
    return _read(judged, at)[0]


def _read(judged: Sequence[Judged], at: int) -> tuple[list[int], list[Array]]:
    """Return the pairs that read what a layer returns, and all that it is on the way to them: results of unpaired layers."""
    known = [array for array in judged[at].pair.expected[-1].outputs if array.size]
    readers = []
    for by, each in enumerate(judged[at + 1 :], at + 1):
        if not each.pair.expected or not any(_same(one, two) for one in each.pair.expected[0].inputs for two in known):
            continue
        if each.pair.actual:
            readers.append(by)
        else:
            known += each.pair.expected[-1].outputs
    return readers, known


def _same(one: Array, two: Array) -> bool:
    return one.shape == two.shape and np.array_equal(one, two)


def gets_the_same(judged: Judged, allowance: Allowance) -> bool:
    """Return whether both layers of a pair get the same."""
    return judged.input_error is not None and not judged.differing(allowance)
