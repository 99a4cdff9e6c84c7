"""Packed sequences, which Keras has as padded ones with a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import Held
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function, Value

BATCH_FIRST, TIME_FIRST = (0, 1, 2), (1, 0, 2)
"""The orders of the axes in which a sequence is held as Keras has it."""


@dataclass(frozen=True)
class Packed:
    """A packed sequence, which Keras has as a padded one with a mask.

    Args:
        held: the padded sequence, (batch, time, features).
        mask: the name of its mask, (batch, time).
        lengths: the expression for its lengths.
    """

    held: Held
    mask: str
    lengths: str


def pack(scope: Scope, step: Function) -> None:
    """Write the mask of a sequence that torch packs."""
    arguments = step.kwargs
    source, lengths = arguments["input"], arguments["lengths"]
    held = input_of(scope, source).ordered(BATCH_FIRST if arguments["batch_first"] else TIME_FIRST)
    if isinstance(lengths, (list, tuple)):
        lengths = _listed(step, lengths)
    text = scope.arg(lengths)
    if not text.isidentifier():
        text = scope.assign_new("lengths", text)
    if not held.text.isidentifier():
        held = Held(scope.variable(source, held), held.order)
    time = scope.number(scope.size_of(source, 1 if arguments["batch_first"] else 0))
    mask = scope.assign_new("mask", f"ops.less(ops.arange({time}), {text}[:, None])")
    scope.packed[step.result] = Packed(held, mask, text)


def _listed(step: Function, lengths: Any) -> Value:
    values = {each.of.parts[0] for each in lengths if hasattr(each, "of") and each.of.what == "item"}
    if len(values) != 1:
        raise uncarried(step, "lengths", "be a tensor that the module is given or computes", "are numbers", "Pass a tensor.")
    value: Value = values.pop()
    return value


def unpack(scope: Scope, step: Function) -> None:
    """Write the padded sequence, as long as its longest row, as torch makes it."""
    arguments = step.kwargs
    packed = scope.packed[arguments["sequence"]]
    padded, lengths = step.result
    scope.hold(lengths, Held(packed.lengths, (0,)))
    text = packed.held.text
    total = arguments["total_length"]
    if total is None:
        text = f"{text}[:, : ops.max({packed.lengths})]"
    elif not scope.varies(total):
        raise uncarried(step, "total_length", "be the size of the padded sequence", f"is {int(total)}", "Pass x.size(1).")
    if arguments["padding_value"]:
        text = (
            f"ops.where({packed.mask}[..., None], {packed.held.text}, {literal(arguments['padding_value'])})"
            + text[len(packed.held.text) :]
        )
    scope.put(padded, text, BATCH_FIRST if arguments["batch_first"] else TIME_FIRST)


PACKING = {"pack_padded_sequence": pack, "pad_packed_sequence": unpack}
