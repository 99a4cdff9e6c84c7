"""The results of a pair of layers, from which expressions are made: of both models, in the port's layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.forms import Source, same
from compare.models.judged import Judged
from compare.models.pairing.absorbing import activated, activation_in, name_of
from compare.models.pairing.axes import laid_out
from compare.models.recording.recorded import Recorded
from compare.models.recording.recording import run_alone
from compare.models.recurrent_layers import reads_the_batch_as_time
from compare.models.whole import turned_output

Array = npt.NDArray[Any]


def mask_of(array: Array, masks: Sequence[Array]) -> Array | None:
    """Return the mask that has an array's rows and steps."""
    return next((mask for mask in masks if mask.shape == array.shape[:2] and mask.ndim == 2), None)


def results_of(judged: Judged, masks: Sequence[Array]) -> Iterator[tuple[Source, Source]]:
    """Yield the results of a pair: the expected layer's as the actual one shows them, and the actual one's own."""
    call = judged.pair.actual[0]
    name = str(judged.pair.names[1]) + (f" (call {call.number + 1})" if call.number else "")
    whole = judged.whole
    if whole is not None:
        spec = whole.actual.spec
        if whole.found is None or reads_the_batch_as_time(judged) or whole.expected.spec.hidden_size != spec.hidden_size:
            return
        shown = whole.wanted if whole.alone is None or judged.verdict == "wrong here" else whole.alone  # as this layer shows it
        own = [turned_output(each) if whole.turned else each for each in (shown, whole.found)]
        mask = whole.call.mask if whole.call.mask is not None else mask_of(np.asarray(own[0].output), masks)
        zeros = whole.actual.zeroes_masked_steps
        yield Source(name, None, own[0], spec, mask, zeros), Source(name, None, own[1], spec, mask, zeros)
        return
    one, two = judged.pair.expected[-1], judged.pair.actual[-1]
    for at, (wanted, returned) in enumerate(zip(one.outputs, two.outputs, strict=False)):
        laid = laid_out(wanted, returned, one, two)
        if laid is not None:
            label = name if at == 0 else f"{name}[{at}]"
            mask = mask_of(returned, masks)
            both = list(_around_activation(judged, laid, returned, label)) if at == 0 else [(label, laid, returned)]
            for text, right, left in both:
                yield Source(text, right, mask=mask), Source(text, left, mask=mask)


def _around_activation(judged: Judged, wanted: Array, returned: Array, name: str) -> Iterator[tuple[str, Array, Array]]:
    """Yield a result of both sides; where only one layer has an activation inside, before and after the activation."""
    one, two = judged.pair.expected[-1], judged.pair.actual[-1]
    inside = activation_in(one), activation_in(two)
    if bool(inside[0]) == bool(inside[1]) or len(judged.pair.expected) + len(judged.pair.actual) > 2:
        yield name, wanted, returned
        return
    raw = judged.alone_raw if judged.verdict != "wrong here" else None
    if inside[0]:
        after = activated(inside[0], returned)
        if raw is not None:
            yield name, raw, returned
        if after is not None:
            yield f"{name_of(inside[0])}({name})", wanted, after
        return
    after = activated(inside[1], wanted)
    if after is not None:
        yield name, after, returned
    before = wanted if judged.verdict == "agrees" else _without_activation(one, two, inside[1])
    if before is not None:
        yield f"{name} (before its {name_of(inside[1])})", wanted, before


def _without_activation(one: Recorded, two: Recorded, activation: Any) -> Array | None:
    """Return what the actual layer returns before its activation: what the expected one, without, makes of the same input."""
    if not one.inputs or not two.inputs or one.inputs[0].shape != two.inputs[0].shape:
        return None
    try:
        returned = run_alone(one.native, two.inputs[:1])
    except Exception:  # noqa: BLE001  whatever a user's layer raises
        return None
    after = activated(activation, returned[0])
    return returned[0] if after is not None and same(after, two.outputs[0]) else None
