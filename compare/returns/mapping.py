"""The return-value map: the results of a Keras layer, expressed over PyTorch's `output`, `h_n`, `c_n`, and the reverse.

The printed expressions are also the evaluated ones: text, made once in `compare.returns.expressions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from compare.returns.evaluation import (
    NUMPY_AS_KERAS,
    Returned,
    Tensor,
    as_numpy,
    check_alike,
    check_shapes,
    evaluate,
    parts_of,
    states_by_name,
    torch_or_stand_in,
)
from compare.returns.expressions import ReadFromKeras, ReturnedArray, read_from_keras, returned_arrays
from compare.returns.keras_call import KerasCall, Slot
from compare.returns.markdown import render
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.output import RecurrentOutput
from frameworks.registry import describe
from frameworks.showing import Shown
from frameworks.spec import RecurrentSpec, Stack
from frameworks.whole_models import WholeModelError, one_by_one

_TWO_MODULES = """\
forward_output, forward_state = forward_rnn({forward})
backward_output, backward_state = backward_rnn({backward})
output = torch.cat((forward_output, backward_output.flip(1)), dim=-1)
"""
_STACKED = "{name} = torch.stack((forward_state{index}, backward_state{index}), dim=1).flatten(0, 1)"


def returns_map(layer: object, options: KerasOptions | None = None) -> ReturnsMap:
    """Map the results of a Keras layer to those of the PyTorch layer.

    Args:
        layer: a Keras layer, or a list or Sequential of Keras layers, built or not; or a spec, together with options.
        options: the options of the Keras layer; only with a spec.

    Returns:
        The map. `to_markdown` prints it; `to_keras` and `to_torch` evaluate it.

    Raises:
        GatewiseError: for anything else, and for a layer without an equivalent call of a PyTorch layer.

    Example:
        >>> import keras
        >>> from gatewise import returns_map
        >>> layer_map = returns_map(keras.layers.LSTM(4, return_state=True))
        >>> for item in layer_map.items:
        ...     print(item.keras, "=", item.pytorch)
        result[0] = h_n[0]
        result[1] = h_n[0]
        result[2] = c_n[0]
    """
    if isinstance(layer, (RecurrentSpec, Stack)):
        if isinstance(options, KerasOptions):
            return ReturnsMap(layer, options)
    elif options is None:
        try:
            return ReturnsMap(*describe(layer))
        except WholeModelError as error:
            raise one_by_one(error, "returns_map") from None
    raise InvalidTypeError.because(
        "returns_map",
        must="be called with a Keras layer alone, or with a RecurrentSpec and its KerasOptions",
        but=f"was called with a {type(layer).__name__} and {'nothing' if options is None else f'a {type(options).__name__}'}",
        remedy="Write returns_map(layer), or returns_map(spec, KerasOptions()).",
    )


@dataclass(frozen=True, repr=False)
class ReturnsMap(Shown):
    """The results of a Keras layer with its flags, and PyTorch's `output`, `h_n`, `c_n`, each expressed over the other.

    Args:
        stack: the spec of the layer.
        options: the options of the Keras layer.

    Raises:
        GatewiseError: for a layer without an equivalent call of a PyTorch layer.

    Example:
        >>> import torch
        >>> from gatewise import KerasOptions, RecurrentSpec, ReturnsMap
        >>> spec = RecurrentSpec("gru", input_size=3, hidden_size=4)
        >>> layer_map = ReturnsMap(spec, KerasOptions(return_sequences=True, return_state=True))
        >>> rnn = torch.nn.GRU(3, 4, batch_first=True)
        >>> output, state = layer_map.to_keras(*rnn(torch.zeros(2, 5, 3)))
        >>> output.shape, state.shape
        (torch.Size([2, 5, 4]), torch.Size([2, 4]))
    """

    stack: Stack | RecurrentSpec
    options: KerasOptions

    def __post_init__(self) -> None:
        """Require a layer that has a map."""
        _check_mappable(self.stack, self.options)

    @cached_property
    def needs_two_modules(self) -> bool:
        """Whether each direction runs through all layers separately, which needs two PyTorch modules of one direction."""
        return self.options.nesting == "cells" and self.stack.bidirectional and self.stack.num_layers > 1

    @cached_property
    def call(self) -> str:
        """The call of the PyTorch layer, with batch_first=True; for two modules the lines that call both."""
        if self.needs_two_modules:
            return self.code
        return "rnn(x.flip(1))" if self.options.go_backwards else "rnn(x)"

    @cached_property
    def code(self) -> str:
        """The lines that compute `output`, `h_n` and, if there is one, `c_n` from `x`."""
        has_cell_state = self.stack.has_cell_state
        if not self.needs_two_modules:
            return f"output, {'(h_n, c_n)' if has_cell_state else 'h_n'} = {self.call}"
        forward, backward = ("x.flip(1)", "x") if self.options.go_backwards else ("x", "x.flip(1)")
        indices = {"h_n": "[0]", "c_n": "[1]"} if has_cell_state else {"h_n": ""}
        stacked = [_STACKED.format(name=name, index=index) for name, index in indices.items()]
        return _TWO_MODULES.format(forward=forward, backward=backward) + "\n".join(stacked)

    @cached_property
    def items(self) -> tuple[ReturnedArray, ...]:
        """One entry for each array that Keras returns, in Keras's order."""
        return returned_arrays(self._keras_call)

    @cached_property
    def reverse(self) -> tuple[ReadFromKeras, ...]:
        """One entry for each of `output`, `h_n` and, if there is one, `c_n`."""
        return tuple(read_from_keras(self._keras_call, name) for name in self._axes)

    @cached_property
    def missing(self) -> dict[str, str]:
        """The arrays of PyTorch that the layer's flags do not determine, with the reasons."""
        return {entry.pytorch: entry.missing for entry in self.reverse if entry.missing}

    def to_keras(self, output: Tensor, h_n: Tensor, c_n: Tensor | None = None) -> Returned:
        """Compute the results of Keras from those of PyTorch, with the expressions of `items`.

        Args:
            output: (batch, time, direction * hidden).
            h_n: (layer * direction, batch, hidden), or the pair (h_n, c_n) as an LSTM returns it.
            c_n: (layer * direction, batch, hidden), if there is a cell state and h_n is not the pair.

        Returns:
            One array, or a tuple of arrays and lists of arrays, nested as in Keras: NumPy for NumPy, torch for torch.

        Raises:
            GatewiseError: for arrays that the PyTorch layer does not return.
        """
        arrays = {"output": output, **states_by_name(h_n, c_n, has_cell_state=self.stack.has_cell_state)}
        torch = torch_or_stand_in(arrays)
        named = [(name, axes, arrays[name]) for name, axes in self._axes.items()]
        check_shapes(named, self._sizes, remedy="Pass the results of the layer with batch_first=True.")
        values = iter([evaluate(item.pytorch, {**arrays, "torch": torch}) for item in self.items])
        entries = self._keras_call.entries
        nested = [next(values) if isinstance(entry, Slot) else [next(values) for _ in entry] for entry in entries]
        return nested[0] if len(nested) == 1 else tuple(nested)

    def to_torch(self, returned: Returned) -> RecurrentOutput:
        """Compute the results of PyTorch from those of Keras with the layer's flags, with the expressions of `reverse`.

        Args:
            returned: one tensor of any Keras backend or NumPy array, or a tuple or list of them, nested as in Keras.

        Returns:
            The arrays of `code`, with `output` in the time order of that call; None for arrays in `missing`. They may share
            memory with `returned`.

        Raises:
            GatewiseError: for arrays that this layer does not return.
        """
        result = self._as_numpy(returned)
        names = {"result": result, "keras": NUMPY_AS_KERAS}
        checked = [(item.keras, item.shape, evaluate(item.keras, names)) for item in self.items]
        check_alike({name: array for name, _, array in checked})
        check_shapes(checked, self._sizes, remedy="Pass the results of the layer with these flags.")
        known = [entry for entry in self.reverse if entry.keras and not entry.missing]
        arrays = {entry.pytorch: evaluate(entry.keras or "", names) for entry in known}
        return RecurrentOutput(output=arrays.get("output"), h_n=arrays.get("h_n"), c_n=arrays.get("c_n"))

    def to_markdown(self) -> str:
        """Render the map: the call, a table of Keras's results, a table of PyTorch's results, and notes."""
        return render(self._keras_call, self.code, self.items, self.reverse)

    def _in_a_line(self) -> str:
        items = "; ".join(f"{item.keras} = {item.pytorch}" for item in self.items)
        return f"{type(self).__name__} of {self.call if not self.needs_two_modules else 'two modules'}: {items}"

    @cached_property
    def _keras_call(self) -> KerasCall:
        return KerasCall(self.stack, self.options)

    @cached_property
    def _axes(self) -> dict[str, tuple[str, ...]]:
        states = {f"{name}_n": ("layer * direction", "batch", "hidden") for name in self.stack.state_names}
        return {"output": ("batch", "time", "direction * hidden"), **states}

    @cached_property
    def _sizes(self) -> dict[str, int]:
        hidden, directions = self.stack.hidden_size, self.stack.num_directions
        return {
            "hidden": hidden,
            "direction * hidden": directions * hidden,
            "layer * direction": self.stack.num_layers * directions,
        }

    def _as_numpy(self, returned: Returned) -> Returned:
        entries = self._keras_call.entries
        if len(entries) == 1:
            return as_numpy("result", returned)
        places = [f"result[{index}]" for index in range(len(entries))]
        parts = parts_of("result", returned, len(entries))
        return tuple(
            as_numpy(place, part)
            if isinstance(entry, Slot)
            else [as_numpy(f"{place}[{at}]", one) for at, one in enumerate(parts_of(place, part, len(entry)))]
            for place, part, entry in zip(places, parts, entries, strict=True)
        )


def _check_mappable(stack: Stack | RecurrentSpec, options: KerasOptions) -> None:
    if options.nesting == "cell":
        raise NoCounterpartError.because(
            "returns_map",
            must="be called with a layer, which reads whole sequences",
            but="was called with a bare cell, which reads one time step",
            remedy="Wrap it as keras.layers.RNN(cell).",
        )
    if options.nesting == "model" and not (options.return_sequences and options.return_state):
        raise InvalidValueError.because(
            "the options of a functional model",
            must="have return_sequences=True and return_state=True",
            but=f"have {options.return_sequences} and {options.return_state}",
            remedy='Set both, or use nesting="layers" for layers that are called one after the other.',
        )
    if options.go_backwards and options.nesting != "cells" and stack.num_layers > 1:
        raise NoCounterpartError.because(
            "a stack of layers",
            must="have go_backwards=False",
            but="has go_backwards=True: in Keras each layer then reads the reversed output of the one below",
            remedy="Map each layer separately, or use RNN with a list of cells, which is reversed as a whole.",
        )
