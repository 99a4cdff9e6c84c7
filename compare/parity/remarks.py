"""The notes of a parity check: what it passes and leaves open, and how to call each side so that they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from compare.parity.calls import Call
from compare.returns.mapping import returns_map
from frameworks.adapter import Adapter
from frameworks.options import KerasOptions

_SIDES = ("expected", "actual")
_CALLS = ("return_sequences", "return_state", "merge_mode", "stateful", "zero_output_for_mask", "dropout", "recurrent_dropout")


def remarks(sides: tuple[Adapter, Adapter], calls: Sequence[Call]) -> Iterator[str]:
    """Yield what the reader of a verdict must know: what was not compared, and what the user's own call must do.

    Args:
        sides: the expected and the actual layer.
        calls: the calls that are compared.
    """
    yield from name_differences(sides[0].spec, sides[1].spec, ("bias",))
    if sides[0].options is not None and sides[1].options is not None:
        for difference in name_differences(sides[0].options, sides[1].options, _CALLS):
            yield f"both are called in the same way here, although {difference}"
    if sides[0].dropout != sides[1].dropout:
        rates = f"{sides[0].dropout} in expected, {sides[1].dropout} in actual"
        yield f"only inference is compared: dropout between layers is {rates}"
    for (name, side), (other_name, other) in permutations(zip(_SIDES, sides, strict=True)):
        if side.options is not None and other.options is None:
            yield from _against_plain_module(name, side, other_name)
        yield from _time_axis(name, side, other_name, other)
        if side.mask and any(call.mask is None for call in calls):
            yield (
                f"without a mask, although {name} gets one from {side.mask!r} in its model: pass `mask` to compare that call "
                f"too, and mask or pack the input of {other_name}"
            )
    yield from sides[0].notes
    yield from sides[1].notes
    if any(call.mask is not None for call in calls):
        yield _masked_steps(*sides)


def name_differences(expected: object, actual: object, names: Sequence[str]) -> Iterator[str]:
    """Yield each attribute that differs, with both values."""
    for name in names:
        wanted, own = getattr(expected, name), getattr(actual, name)
        if wanted != own:
            yield f"{name} is {wanted!r} in expected, {own!r} in actual"


def _against_plain_module(name: str, side: Adapter, other: str) -> Iterator[str]:
    """Yield what a layer with Keras's options does that a plain module leaves to its caller."""
    options = side.options or KerasOptions()
    if options.go_backwards:
        yield (
            f"{name} reads backwards: call {other} as rnn(x.flip(1)). Keras returns the outputs in the order of reading, so "
            "flip nothing back"
        )
    if options.stateful:
        yield (
            f"single calls are compared: {name} is stateful and starts from the final states of its last call, {other} from "
            "zeros unless you pass these states"
        )
    if side.spec.bidirectional and options.merge_mode != "concat":
        outputs = [item.pytorch for item in returns_map(side.spec, options).items if item.meaning.startswith("output")]
        yield (
            f"{name} has merge_mode={options.merge_mode!r}: what its call returns as its output is {' and '.join(outputs)} "
            f"of the results of {other}"
        )
    rates = {"dropout": options.dropout, "recurrent_dropout": options.recurrent_dropout}
    if drawn := ", ".join(f"{rate}={value}" for rate, value in rates.items() if value):
        yield f"only inference is compared: in training, {name} has {drawn}, which {other} does not do"


def _time_axis(name: str, side: Adapter, other_name: str, other: Adapter) -> Iterator[str]:
    if side.is_cell or other.is_cell:
        return
    if side.time_major and other.time_major is False:
        yield (
            f"{name} has batch_first=False and takes (time, batch, input), {other_name} (batch, time, input): call {name} as "
            "rnn(x.transpose(0, 1)) and transpose its output back, or build it with batch_first=True"
        )
    if side.time_major is None and other.time_major is not None:
        yield f"it is not known which axis {name} takes first, time or batch: its file does not state batch_first"


def _masked_steps(expected: Adapter, actual: Adapter) -> str:
    shown = {True: "zeros", False: "the last valid output"}
    one, other = (shown[side.zeroes_masked_steps] for side in (expected, actual))
    if one == other:
        return f"masked steps are compared too: both sides output {one} at them"
    return (
        "with a mask, the two are compared at the valid steps and in their final states; at masked steps, expected "
        f"outputs {one} and actual {other}, and each is compared with the rule of its own framework"
    )
