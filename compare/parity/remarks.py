"""The notes of a parity check: what it passes and leaves open, and how to call each side so that they agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import permutations

from compare.returns.mapping import returns_map
from frameworks.adapter import Adapter
from frameworks.options import KerasOptions

_SIDES = ("expected", "actual")
_CALLS = ("return_sequences", "return_state", "merge_mode", "stateful", "zero_output_for_mask", "dropout", "recurrent_dropout")


def remarks(
    sides: tuple[Adapter, Adapter], masked: Collection[bool] = (False,), names: tuple[str, str] = _SIDES
) -> Iterator[str]:
    """Yield what the reader of a verdict must know: what was not compared, and what the user's own call must do.

    Args:
        sides: the expected and the actual layer.
        masked: for each call that is compared, whether it has a mask.
        names: what the two layers are called.
    """
    yield from name_differences(sides[0].spec, sides[1].spec, ("bias",), names)
    if sides[0].options is not None and sides[1].options is not None:
        for difference in name_differences(sides[0].options, sides[1].options, _CALLS, names):
            yield f"both are called in the same way here, although {difference}"
    if sides[0].dropout != sides[1].dropout:
        rates = f"{sides[0].dropout} in {names[0]}, {sides[1].dropout} in {names[1]}"
        yield f"only inference is compared: dropout between layers is {rates}"
    for (name, side), (other_name, other) in permutations(zip(names, sides, strict=True)):
        if side.options is not None and other.options is None:
            yield from _against_plain_module(name, side, other_name)
        yield from _time_axis(name, side, other_name, other)
    if False in masked:
        yield from _left_out_masks(sides, names)
    yield from sides[0].notes
    yield from sides[1].notes
    if True in masked:
        yield _masked_steps(sides, names)


def name_differences(
    expected: object, actual: object, attributes: Collection[str], names: tuple[str, str] = _SIDES
) -> Iterator[str]:
    """Yield each attribute that differs, with both values."""
    for each in attributes:
        wanted, own = getattr(expected, each), getattr(actual, each)
        if wanted != own:
            yield f"{each} is {wanted!r} in {names[0]}, {own!r} in {names[1]}"


def _left_out_masks(sides: tuple[Adapter, Adapter], names: tuple[str, str]) -> Iterator[str]:
    """Yield that the masks of the models are left out, and whose input needs one that its own model does not feed."""
    masks = [side.mask for side in sides]
    if all(masks):
        yield "without a mask, although both get one in their models: check_parity(..., mask=mask) compares that call too"
    elif any(masks):
        one, other = names if masks[0] else names[::-1]
        yield (
            f"without a mask, although {one} gets one from {(masks[0] or masks[1])!r} in its model: mask or pack the input of "
            f"{other} too; check_parity(..., mask=mask) compares that call"
        )


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


def _masked_steps(sides: tuple[Adapter, Adapter], names: tuple[str, str]) -> str:
    shown = {True: "zeros", False: "the last valid output"}
    one, other = (shown[side.zeroes_masked_steps] for side in sides)
    if one == other:
        return f"masked steps are compared too: both sides output {one} at them"
    return (
        f"with a mask, the two are compared at the valid steps and in their final states; at masked steps, {names[0]} "
        f"outputs {one} and {names[1]} {other}, and each is compared with the rule of its own framework"
    )
