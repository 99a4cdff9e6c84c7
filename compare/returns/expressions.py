"""Keras's results as expressions over PyTorch's `output`, `h_n`, `c_n`, and the reverse.

Both are built from the same pieces: the half of an array that belongs to a direction, the last step of a direction, and
the table of merges. No combination of flags has separate code.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html, "Outputs".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations

from compare.returns.keras_call import MERGES, KerasCall, Slot

WITHOUT_PACKING = "only without packing and without a mask"
WITHOUT_MASK = "only without a mask"

_END = ("-1", "0")
"""The time step of `output` at which each direction ends."""

_HELPFUL_FLAGS: tuple[tuple[str, object], ...] = (("return_state", True), ("return_sequences", True), ("merge_mode", "concat"))
_LEAST_CHANGES = tuple(chain.from_iterable(combinations(_HELPFUL_FLAGS, count) for count in range(len(_HELPFUL_FLAGS) + 1)))


@dataclass(frozen=True)
class Expression:
    """An expression, and a caveat if it does not hold for every call."""

    text: str
    caveat: str = ""


@dataclass(frozen=True)
class ReturnedArray:
    """One array that Keras returns.

    Args:
        keras: place of the array in the `result` of the call.
        meaning: meaning of the array, in words.
        shape: the names of its axes.
        pytorch: the same array as an expression over `output`, `h_n`, `c_n`.
        equivalents: other expressions for the same values, with their caveats.
    """

    keras: str
    meaning: str
    shape: tuple[str, ...]
    pytorch: str
    equivalents: tuple[Expression, ...]


@dataclass(frozen=True)
class ReadFromKeras:
    """One of PyTorch's `output`, `h_n`, `c_n`, as an expression over the results of Keras.

    Args:
        pytorch: "output", "h_n" or "c_n".
        keras: the expression over `result`, in `keras.ops`; None if Keras never returns the array, whatever the flags.
        flags: the flags of the call that the expression needs: the layer's own, or with as few changes as possible.
        changed: the flags that differ from the layer's own.
        caveat: the only calls for which the expression holds; empty if it always holds.
        missing: why the layer's own flags are not enough; empty if they are.
    """

    pytorch: str
    keras: str | None
    flags: dict[str, object] = field(hash=False)
    changed: tuple[tuple[str, object], ...] = ()
    caveat: str = ""
    missing: str = ""


def returned_arrays(call: KerasCall) -> tuple[ReturnedArray, ...]:
    """Describe each array that the call returns, in its order."""
    return tuple(
        ReturnedArray(name, call.meaning(slot), call.axes(slot), _over_pytorch(call, slot), _equivalents(call, slot))
        for slot, name in call.names.items()
    )


def read_from_keras(call: KerasCall, name: str) -> ReadFromKeras:
    """Express `output`, `h_n` or `c_n` over the results of the call, with as few changed flags as possible."""
    missing = "" if _over_keras(call, name) else _why_missing(call, name)
    for changes in _LEAST_CHANGES:
        changed_call = replace(call, options=replace(call.options, **dict(changes)))  # type: ignore[arg-type]
        expression = _over_keras(changed_call, name)
        if expression:
            return ReadFromKeras(name, expression.text, changed_call.flags, changes, expression.caveat, missing)
    return ReadFromKeras(name, None, call.flags, missing=missing)


def _over_pytorch(call: KerasCall, slot: Slot) -> str:
    if slot.kind != "output":
        return _state(call, slot.kind, slot.layer, slot.direction or 0)
    if not call.options.return_sequences:
        return _merged(call, slot, lambda side: _state(call, "h", call.top, side))
    if call.merge is MERGES["concat"]:
        return "output"
    return _merged(call, slot, lambda side: _at("output", *_only("...", _columns(call, side))))


def _equivalents(call: KerasCall, slot: Slot) -> tuple[Expression, ...]:
    if slot.kind == "c" or slot.layer != call.top or (slot.kind == "output" and call.options.return_sequences):
        return ()
    text = _merged(call, slot, lambda side: _at("output", ":", _END[side], *_columns(call, side)))
    return (Expression(text, WITHOUT_PACKING),)


def _over_keras(call: KerasCall, name: str) -> Expression | None:
    if name == "output":
        return _whole_output(call)
    layers, directions = range(call.stack.num_layers), range(call.stack.num_directions)
    rows = [_row(call, Slot("h" if name == "h_n" else "c", layer, side)) for layer in layers for side in directions]
    known = [row for row in rows if row]
    if len(known) < len(rows):
        return None
    caveat = next((row.caveat for row in known if row.caveat), "")
    return Expression(f"keras.ops.stack({_tuple([row.text for row in known])})", caveat)


def _whole_output(call: KerasCall) -> Expression | None:
    if not call.options.return_sequences or not call.keeps_directions:
        return None
    parts = [name for slot, name in call.names.items() if slot.kind == "output"]
    return Expression(parts[0] if len(parts) == 1 else f"keras.ops.concatenate({_tuple(parts)}, axis=-1)")


def _row(call: KerasCall, state: Slot) -> Expression | None:
    """Express one row of h_n or c_n: as a returned state if there is one, else as the end of the output."""
    if state in call.names:
        return Expression(call.names[state])
    if state.kind == "c" or state.layer != call.top or not call.keeps_directions or state.direction is None:
        return None
    output = call.names[Slot("output", call.top, None if call.merge else state.direction)]
    end = (_END[state.direction],) if call.options.return_sequences else ()
    columns = _columns(call, state.direction) if call.merge else ()
    return Expression(_at(output, *_only(":", (*end, *columns))), WITHOUT_MASK)


def _why_missing(call: KerasCall, name: str) -> str:
    mixed = f"merge_mode={call.options.merge_mode!r} leaves the directions' outputs {call.merge.words}" if call.merge else ""
    if name == "output":
        return mixed if call.options.return_sequences else "return_sequences=False returns the output of one time step only"
    if call.stack.num_layers > 1 and call.options.nesting == "layers":
        return "states of the lower layers are not returned: call each layer with return_state=True"
    what = "cell state" if name == "c_n" else "hidden state"
    lower = " of the lower layers" if call.stack.num_layers > 1 else ""
    also = f", and {mixed}" if name == "h_n" and not call.keeps_directions else ""
    return f"return_state=False returns no {what}{lower}{also}"


def _state(call: KerasCall, kind: str, layer: int, side: int) -> str:
    return f"{kind}_n[{layer * call.stack.num_directions + side}]"


def _merged(call: KerasCall, slot: Slot, half: Callable[[int], str]) -> str:
    if slot.direction is not None or call.merge is None:
        return half(slot.direction or 0)
    return call.merge.pytorch.format(forward=half(0), backward=half(1))


def _columns(call: KerasCall, side: int) -> tuple[str, ...]:
    """Return the subscript of one direction in the last axis of an array of both; empty if there is only one direction."""
    size = call.stack.hidden_size
    return ((f":{size}", f"{size}:")[side],) if call.stack.bidirectional else ()


def _only(first: str, others: tuple[str, ...]) -> tuple[str, ...]:
    """Put `first` before the other subscripts, if there are any."""
    return (first, *others) if others else ()


def _at(array: str, *subscripts: str) -> str:
    return f"{array}[{', '.join(subscripts)}]" if subscripts else array


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
