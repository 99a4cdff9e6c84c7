"""The flags of a Keras layer that determine how it is called and what the call returns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from frameworks.errors import InvalidTypeError, InvalidValueError

MergeMode = Literal["concat", "sum", "mul", "ave"]
Nesting = Literal["layers", "cells", "model", "cell"]


@dataclass(frozen=True)
class KerasOptions:
    """Keras's flags of a call: how the layer reads the sequence and what it returns, apart from the recurrence itself.

    Args:
        return_sequences: whether the output of every time step is returned, rather than only that of the last step.
        return_state: whether the states are returned too.
        go_backwards: whether the sequence is read from its end; outputs come in the order of reading.
        merge_mode: how `Bidirectional` joins its directions; None returns them separately.
        stateful: whether the states are kept from call to call.
        zero_output_for_mask: whether the output of a masked step is zero, rather than the last valid output.
        nesting: the kind of Keras object. "layers": one layer, or several called one after the other, of which the last one's
            flags determine the result; "cells": one `RNN` over a list of cells, which returns a list of states per cell;
            "model": a functional model that returns the output and all states without nesting; "cell": a bare cell, which
            computes one time step.
        bare_states: whether a cell with one state returns it without a list around it, as in tf_keras; only for "cells".
        dropout: the dropout rate of the inputs inside a cell in training.
        recurrent_dropout: the dropout rate of the hidden state inside a cell in training.

    Raises:
        GatewiseError: for a merge mode, nesting or rate that Keras does not have.

    Example:
        >>> from gatewise import KerasOptions, RecurrentSpec, returns_map
        >>> options = KerasOptions(return_sequences=True, return_state=True)
        >>> [item.pytorch for item in returns_map(RecurrentSpec("gru", input_size=3, hidden_size=4), options).items]
        ['output', 'h_n[0]']
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
        """Reject what Keras would reject."""
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
                    flag, must="be True or False", but=f"is {getattr(self, flag)!r}", remedy="Pass a bool."
                )
        for name in ("dropout", "recurrent_dropout"):
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
                raise InvalidValueError.because(name, must="be between 0 and 1", but=f"is {rate!r}", remedy="Pass a rate.")


WHOLE = KerasOptions(return_sequences=True, return_state=True, zero_output_for_mask=True)
"""The options of torch modules and ONNX nodes: they return the output of every step, zero at masked steps, and the states."""

BACKWARDS = replace(WHOLE, go_backwards=True)
"""The same for a layer that reads the sequence from its end. No torch module does."""

TIME_MAJOR = (
    "Nothing else differs: transpose its input and output, or pass them as they are to the torch module with batch_first=False"
)
"""The advice on a layer of Keras 2 with time_major=True, which is handled with the batch axis first."""
