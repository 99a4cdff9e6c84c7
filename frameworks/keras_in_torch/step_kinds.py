"""What one time step is for each kind of recurrent torch module: its states, and how they become the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from frameworks.errors import GatewiseError, InvalidTypeError, NoCounterpartError
from frameworks.keras_in_torch.layers import KerasEmbedding, KerasMasking, KerasSequential, KerasTimeDistributed, OnnxRecurrent
from frameworks.keras_in_torch.layers.arguments import check_inputs
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.cell_modules import KerasCell
from frameworks.keras_in_torch.layers.dropout import NO_MASKS
from frameworks.keras_in_torch.layers.parameters import CellHolder
from frameworks.keras_in_torch.layers.recording import require_features
from frameworks.keras_in_torch.layers.steps import make_step, project

Tensor = torch.Tensor

_EACH_STEP: tuple[type[nn.Module], ...] = (
    *(KerasEmbedding, KerasMasking, nn.Embedding, nn.Linear, nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU),
    *(nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softsign, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh),
    *(nn.Hardsigmoid, nn.Hardswish),
)
"""The layers beside recurrent ones that compute each time step alone; also nn.LayerNorm over the features."""


class State(NamedTuple):
    """One state of a module.

    Args:
        name: "h" or "c".
        layers: the size of the axis before the batch, or None if there is no such axis.
        size: the size of the axis after the batch.
        like: a parameter with its device, and its dtype unless `dtype` differs.
        dtype: the dtype of the arithmetic.
    """

    name: str
    layers: int | None
    size: int
    like: Tensor
    dtype: torch.dtype

    def shape(self, batch: int) -> tuple[int, ...]:
        """Return the shape for a batch size."""
        return (batch, self.size) if self.layers is None else (self.layers, batch, self.size)


Step = Callable[[Any, Tensor, Iterator[Tensor], Tensor | None], tuple[Tensor, list[Tensor], Tensor | None]]
"""Takes its own states from the iterator; returns the output, the next states and the mask of the output."""


class Kind(NamedTuple):
    """What a kind of module does in one step.

    Args:
        classes: the classes of the modules.
        check: raises an error for a module that needs later steps.
        states: yields the states of a module.
        step: computes one step.
    """

    classes: tuple[type[nn.Module], ...]
    check: Callable[[Any], None]
    states: Callable[[Any], Iterator[State]]
    step: Step


def _check_torch(module: Any) -> None:
    kind = next(kind for kind in (nn.RNNBase, nn.RNNCellBase) if isinstance(module, kind))
    own = next(base for base in type(module).__mro__ if base.__module__ == kind.__module__)
    if type(module).forward is not own.forward:  # type: ignore[attr-defined]
        raise _refused(module, f"run the forward of nn.{own.__name__}", "overrides it", f"Pass a plain nn.{own.__name__}.")
    if getattr(module, "bidirectional", False):
        raise _needs_future(module, "is bidirectional")


def _check_onnx(module: OnnxRecurrent) -> None:
    _check_layer(module.layer)


def _check_layer(layer: KerasLayer) -> None:
    if len(layer.readings) == 2:
        raise _needs_future(layer, "has a direction that starts at the last step")
    if layer.readings[0].go_backwards:
        raise _needs_future(layer, "starts at the last step (go_backwards)")


def _check_sequential(model: KerasSequential) -> None:
    over_time = True
    for index, layer in enumerate(_flat(model)):
        if isinstance(layer, KerasLayer):
            _check_layer(layer)
            over_time = over_time and layer.return_sequences
        elif isinstance(layer, KerasTimeDistributed):
            raise _refuse_time_distributed(layer)
        elif over_time and not _computes_each_step(layer):
            raise NoCounterpartError.because(
                f"layer {index} of the KerasSequential of one_step",
                must="compute each time step alone",
                but=f"is a {type(layer).__name__}, which may read several",
                remedy="Take one_step of each recurrent layer, and call the layers between them on its y.",
            )


def _flat(model: KerasSequential) -> Iterator[Any]:
    for layer in model:
        if isinstance(layer, KerasSequential):
            yield from _flat(layer)
        else:
            yield layer


def _computes_each_step(layer: nn.Module) -> bool:
    return isinstance(layer, _EACH_STEP) or (isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1)


def _torch_states(module: Any) -> Iterator[State]:
    layers = module.num_layers if isinstance(module, nn.RNNBase) else None
    like: Tensor = module.weight_hh if layers is None else module.weight_hh_l0
    yield State("h", layers, getattr(module, "proj_size", 0) or module.hidden_size, like, like.dtype)
    if isinstance(module, (nn.LSTM, nn.LSTMCell)):
        yield State("c", layers, module.hidden_size, like, like.dtype)


def _onnx_states(module: OnnxRecurrent) -> Iterator[State]:
    for state in _held_states(module.layer):
        yield state._replace(layers=1)


def _held_states(holder: CellHolder) -> Iterator[State]:
    for slot in holder.slots:
        like: Tensor = getattr(holder, f"weight_hh{slot.suffix}")
        for name in slot.cell.state_names:
            yield State(name, None, slot.cell.units, like, holder.dtypes[1])


def _sequential_states(model: KerasSequential) -> Iterator[State]:
    for layer in _flat(model):
        if isinstance(layer, KerasLayer):
            yield from _held_states(layer)


def _step_layer(module: Any, x: Tensor, states: Iterator[Tensor], mask: Tensor | None) -> Any:
    """Call a module over time, torch's or an OnnxRecurrent, on a sequence of one step."""
    layer = getattr(module, "layer", module)
    check_inputs(x, ("batch", "input"), layer.input_size)
    _require_no_dropout_in_cells(layer)
    x, before = require_features(x, layer.input_size), list(states)
    axis = 1 if module.batch_first else 0
    output, finals = module(_filled(x, mask).unsqueeze(axis), tuple(before) if len(before) > 1 else before[0])
    after = _kept(mask, list(finals) if isinstance(finals, tuple) else [finals], before)
    return _filled(output.squeeze(axis), mask), after, mask


def _step_cell(cell: Any, x: Tensor, states: Iterator[Tensor], mask: Tensor | None) -> Any:
    check_inputs(x, ("batch", "input"), cell.input_size)
    before = list(states)
    after = cell(_filled(x, mask), tuple(before) if len(before) > 1 else before[0])
    after = _kept(mask, list(after) if isinstance(after, tuple) else [after], before)
    return after[0], after, mask


def _step_cells(holder: Any, x: Tensor, states: Iterator[Tensor], mask: Tensor | None) -> Any:
    """Step through the cells of an emulated layer or cell."""
    _require_no_dropout_in_cells(holder)
    y, after = _filled(holder.read_inputs(x, ("batch", "input")), mask), list[Tensor]()
    for slot in holder.slots:
        weights = holder.weights(slot)
        before = [next(states).to(y.dtype) for _ in slot.cell.state_names]
        stepped = make_step(slot.cell, weights, NO_MASKS)(project(slot.cell, weights, y, NO_MASKS), tuple(before))
        kept = _kept(mask, list(stepped), before)
        y, after = kept[0], [*after, *kept]
    if isinstance(holder, KerasLayer) and holder.readings[0].zero_output_for_mask:
        y = _filled(y, mask)
    return y, after, holder.compute_mask(x, mask) if isinstance(holder, KerasLayer) else mask


def _step_sequential(model: Any, x: Tensor, states: Iterator[Tensor], mask: Tensor | None) -> Any:
    y, after = x, list[Tensor]()
    for layer in _flat(model):
        if isinstance(layer, KerasLayer):
            y, own, mask = _step_cells(layer, y, states, mask)
            after += own
        else:
            passed_on: Any = getattr(layer, "compute_mask", None)
            mask = mask if passed_on is None else passed_on(y, mask)
            y = layer(y)
    return y, after, mask


KINDS = (
    Kind((nn.RNNBase,), _check_torch, _torch_states, _step_layer),
    Kind((nn.RNNCellBase,), _check_torch, _torch_states, _step_cell),
    Kind((OnnxRecurrent,), _check_onnx, _onnx_states, _step_layer),
    Kind((KerasCell,), lambda _: None, _held_states, _step_cells),
    Kind((KerasLayer,), _check_layer, _held_states, _step_cells),
    Kind((KerasSequential,), _check_sequential, _sequential_states, _step_sequential),
)


def kind_of(module: Any) -> Kind:
    """Return the kind of a module.

    Raises:
        GatewiseError: for anything else, with what to pass.
    """
    for kind in KINDS:
        if isinstance(module, kind.classes):
            return kind
    if isinstance(module, KerasTimeDistributed):
        raise _refuse_time_distributed(module)
    foreign = not isinstance(module, nn.Module)
    library = type(module).__module__.partition(".")[0]
    raise InvalidTypeError.because(
        "the module of one_step",
        must="be what convert or emulate returns in PyTorch, or nn.RNN, nn.LSTM, nn.GRU or one of their cells",
        but=f"is a {type(module).__qualname__}" + (f" of {library}" if foreign and library != "builtins" else ""),
        remedy="Pass gatewise.emulate(module) or gatewise.convert(module)."
        if foreign
        else "Pass the recurrent module itself, such as model.rnn, and call the other layers on its y.",
    )


def _refused(module: nn.Module, must: str, but: str, remedy: str) -> GatewiseError:
    return NoCounterpartError.because(f"the {type(module).__name__} of one_step", must=must, but=but, remedy=remedy)


def _needs_future(module: nn.Module, but: str) -> GatewiseError:
    return _refused(
        module,
        "compute a step from this step and earlier ones",
        but,
        "Call the module on whole sequences, or on windows of them.",
    )


def _refuse_time_distributed(module: KerasTimeDistributed) -> GatewiseError:
    return _refused(
        module,
        "compute a step from this step and earlier ones",
        "runs its layer over a whole sequence at each of its outer steps",
        "Call its .layer on each outer step; one_step of that layer computes the steps within it.",
    )


def _require_no_dropout_in_cells(holder: nn.Module) -> None:
    if not holder.training or not isinstance(holder, CellHolder):
        return
    if any(slot.cell.dropout or slot.cell.recurrent_dropout for slot in holder.slots):
        raise _refused(
            holder,
            "be in eval mode",
            "is in training mode with dropout, for which Keras draws one mask per sequence",
            "Call eval() on it, or train on whole sequences.",
        )


def _filled(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return (batch, feature) with zeros in masked rows, which may hold NaN."""
    return x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0)


def _kept(mask: Tensor | None, after: list[Tensor], before: list[Tensor]) -> list[Tensor]:
    """Return the next states, and in masked rows the previous ones."""
    if mask is None:
        return after
    return [torch.where(mask.unsqueeze(-1), new, old) for new, old in zip(after, before, strict=True)]
