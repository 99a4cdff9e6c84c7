"""How Keras calls a recurrent layer and what it makes that layer return."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from frameworks.errors import InvalidTypeError, InvalidValueError

MergeMode = Literal["concat", "sum", "mul", "ave"]
Nesting = Literal["layers", "cells", "model", "cell"]


@dataclass(frozen=True)
class KerasOptions:
    """What Keras's flags do to a call, beside the recurrence itself.

    Args:
        return_sequences: whether every time step's output is returned, or the last one's.
        return_state: whether the states are returned too.
        go_backwards: whether the sequence is read from its end; outputs come in the order of reading.
        merge_mode: how `Bidirectional` joins its directions; None returns them apart.
        stateful: whether the states are kept from call to call.
        zero_output_for_mask: whether a masked step's output is zero instead of the last valid one's.
        nesting: what the layer is in Keras. "layers": one layer, or several called one after the other, where the last
            one's flags say what comes back; "cells": one `RNN` over a list of cells, which returns a list of states a cell;
            "model": a functional model that returns the output and all states, flat; "cell": a bare cell, one time step.
        bare_states: of "cells": whether a cell's only state comes without a list around it, as tf_keras returns it.
        dropout: the rate on the inputs inside a cell, in training.
        recurrent_dropout: the rate on the hidden state inside a cell, in training.

    Raises:
        GatewiseError: for a merge mode, nesting or rate that Keras does not have.
    """

    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    merge_mode: MergeMode | None = "concat"
    stateful: bool = False
    zero_output_for_mask: bool = False
    nesting: Nesting = "layers"
    bare_states: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what Keras would refuse."""
        if self.merge_mode not in (*get_args(MergeMode), None):
            raise InvalidValueError.because(
                "merge_mode",
                must=f"be one of {', '.join(get_args(MergeMode))} or None",
                but=f"is {self.merge_mode!r}",
                remedy="Keras calls the average 'ave'.",
            )
        if self.nesting not in get_args(Nesting):
            raise InvalidValueError.because(
                "nesting",
                must=f"be one of {', '.join(get_args(Nesting))}",
                but=f"is {self.nesting!r}",
                remedy="Choose one of them.",
            )
        for flag in (field.name for field in fields(self) if field.type == "bool"):
            if not isinstance(getattr(self, flag), bool):
                raise InvalidTypeError.because(
                    flag, must="be True or False", but=f"is {getattr(self, flag)!r}", remedy="Give a bool."
                )
        for name in ("dropout", "recurrent_dropout"):
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
                raise InvalidValueError.because(name, must="lie between 0 and 1", but=f"is {rate!r}", remedy="Give a rate.")


WHOLE = KerasOptions(return_sequences=True, return_state=True, zero_output_for_mask=True)
"""What torch's modules and ONNX's nodes give: every step's output, zero where it does not count, and the states."""

BACKWARDS = replace(WHOLE, go_backwards=True)
"""The same of a layer that reads the sequence from its end, which no module of torch's does."""
