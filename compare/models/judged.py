"""`Judged`: one pair of layers in one call, compared, and the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from compare.models.allowance import Allowance
from compare.models.pairing.absorbing import activated, activation_in
from compare.models.pairing.axes import difference
from compare.models.pairing.margins import Margin
from compare.models.pairing.pair import Pair
from compare.models.whole import Whole

Array = npt.NDArray[Any]
RowVerdict = Literal["agrees", "wrong here", "input differs", "no partner"]


@dataclass(frozen=True, eq=False)
class Judged:
    """One pair in one call, compared.

    Args:
        pair: the pair.
        verdict: what became of it.
        input_error: the largest difference of what both get; None if it cannot be compared.
        output_error: that of what both return.
        alone_error: that of what both return on what the expected one got.
        inputs: by name ("input", "h_0", ...), what the expected one gets, laid out as the actual one's, and what that gets.
        wanted: what the actual layer must return on what the expected one got; None if that is not known.
        alone: what it returns.
        alone_input: the first input on which it was run alone, laid out as its own; None if it was not.
        alone_raw: what it returned alone, before an activation that only the expected one has inside.
        before_last: what the last of several actual layers got of it.
        whole: the whole results of a recurrent pair.
        margins: what each side puts around the input of a convolution or pooling itself.
    """

    pair: Pair
    verdict: RowVerdict
    input_error: float | None = None
    output_error: float | None = None
    alone_error: float | None = None
    inputs: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    wanted: Array | None = None
    alone: Array | None = None
    alone_input: Array | None = None
    alone_raw: Array | None = None
    before_last: Array | None = None
    whole: Whole | None = None
    margins: tuple[Margin, Margin] = (Margin(), Margin())

    def finish(self, returned: Array) -> Array:
        """Return what the actual layer returned with the activation that only the expected one has inside."""
        return returned if self.wanted is None else nearest(self.pair, self.wanted, returned)[1]

    @property
    def passes_on(self) -> bool:
        """Whether both return what they get, as dropout in inference: what they get is the input of the next layer."""
        calls = (*self.pair.expected, *self.pair.actual)
        return self.verdict != "wrong here" and all(call.family.name in {"dropout", "identity"} for call in calls)

    def differing(self, allowance: Allowance) -> list[str]:
        """Return the names of the inputs that differ."""
        off = {name: difference(*both) for name, both in self.inputs.items()}
        return [
            name for name, each in off.items() if each is None or each > allowance.of_inputs(self.pair, self.inputs[name][0])
        ]

    def allowed(self, allowance: Allowance) -> float:
        """Return the allowed difference of the results, by the size of what must be returned in each form that is compared."""
        whole = self.whole
        inside = [self.wanted] if whole is None else [whole.wanted.output, whole.wanted.h_n, whole.wanted.c_n]
        known = [*self.pair.expected[-1].outputs[:1], *(np.asarray(each) for each in inside if each is not None)]
        return allowance.of_outputs(self.pair, known)


def nearest(pair: Pair, wanted: Array, found: Array) -> tuple[Array, Array, float | None]:
    """Return both arrays and their difference; an activation that only one layer has inside may follow the other's call."""
    best = wanted, found, difference(wanted, found)
    for calls, other in ((pair.expected, pair.actual), (pair.actual, pair.expected)):
        activation = activation_in(calls[-1])
        if activation is None or activation_in(other[-1]) is not None or len(other) > 1:
            continue
        mine = calls is pair.expected
        after = activated(activation, found if mine else wanted)
        if after is None:
            continue
        tried = (wanted, after) if mine else (after, found)
        off = difference(*tried)
        if off is not None and (best[2] is None or off < best[2]):
            best = (*tried, off)
    return best


def with_verdict(judged: Judged, allowance: Allowance) -> Judged:
    """Return the comparison with its verdict."""
    allowed = judged.allowed(allowance)
    verdict: RowVerdict = "agrees"
    if judged.alone_error is not None and judged.alone_error > allowed:
        verdict = "wrong here"
    elif _gets_another_input(judged, allowance, allowed):
        verdict = "input differs"
    elif _wrong_although_alone(judged, allowed):
        verdict = "wrong here"
    return replace(judged, verdict=verdict)


def _gets_another_input(judged: Judged, allowance: Allowance, allowed: float) -> bool:
    """Return whether the inputs differ; of what cannot be held against each other, results that are the same tell more."""
    same = judged.output_error is not None and judged.output_error <= allowed
    if judged.input_error is None:
        return not same and all(calls[0].inputs for calls in (judged.pair.expected, judged.pair.actual))
    return bool(judged.differing(allowance)) and not (same and judged.alone_error is None)


def _wrong_although_alone(judged: Judged, allowed: float) -> bool:
    """Return whether results differ on the same inputs although the layer is right alone, as where its mask is not passed."""
    if judged.output_error is None:
        if judged.whole is None and judged.pair.expected[0].family.name == "recurrent":
            return False  # of a layer that cannot be adapted, as in half precision, another part may be returned
        ran = judged.alone if judged.whole is None else judged.whole.alone or judged.whole.found
        return judged.alone_error is None and ran is not None
    return judged.output_error > 10 * allowed
