"""Over what a normalisation computes its statistics, told from its results."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from compare.models.judged import Judged
from compare.models.layers.array_mistakes import arrays_by_meaning
from compare.models.recording.recorded import innermost


def normalised_axes(judged: Judged) -> tuple[int, ...]:
    """Return the axes over which a layer normalisation computes its mean, if they are not the last one alone; else ()."""
    x, alone, native = judged.alone_input, judged.alone, innermost(judged.pair.actual[0].native)
    if x is None or alone is None or judged.pair.expected[0].family.name != "layer norm" or x.shape != alone.shape:
        return ()
    arrays = arrays_by_meaning(native)
    epsilon = getattr(native, "eps", getattr(native, "epsilon", 1e-5))
    for count in range(1, x.ndim):
        for axes in combinations(range(1, x.ndim), count):
            if axes == (x.ndim - 1,):
                continue
            standard = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
            try:
                value = standard * arrays.get("gamma", 1.0) + arrays.get("beta", 0.0)
            except ValueError:  # they belong to other axes
                continue
            if np.allclose(value, alone, rtol=1e-3, atol=1e-4):
                return axes
    return ()


def normalises_the_batch(judged: Judged) -> bool:
    """Return whether a normalisation with running statistics uses those of the batch."""
    given, alone = judged.alone_input, judged.alone
    if given is None or alone is None or given.ndim < 2 or given.shape != alone.shape:
        return False
    axes = tuple(axis for axis in range(given.ndim) if axis != 1)
    means, spread = alone.mean(axes), alone.std(axes)
    native = innermost(judged.pair.actual[0].native)
    if not hasattr(native, "running_mean"):
        return False
    arrays = arrays_by_meaning(native)
    beta, gamma = arrays.get("beta", np.zeros_like(means)), arrays.get("gamma", np.ones_like(spread))
    return bool(np.allclose(means, beta, atol=1e-3) and np.allclose(spread, np.abs(gamma), rtol=0.05))
