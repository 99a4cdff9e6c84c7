"""Loops over time that torch.export and torch.jit.trace record for any number of time steps.

Both unroll a Python loop. torch.export records torch's `scan` instead, and torch.jit.trace a scripted loop around the traced
step. The ONNX exporters turn these into a Scan and a Loop.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch

from frameworks.errors import InvalidTypeError

Tensor = torch.Tensor
States = tuple[Tensor, ...]
Advance = Callable[[Sequence[Tensor], Sequence[Tensor], States], States]
"""Maps one time step of the sequences, the tensors that are the same at all steps, and the states to the next states."""
P = ParamSpec("P")
R = TypeVar("R")
is_tracing: Callable[[], bool] = torch.jit.is_tracing  # type: ignore[attr-defined]

# torch 2.5 and 2.6 cannot distinguish an export from a compilation.
is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)


class Unscriptable:
    """A module that torch.jit.script refuses."""

    def __prepare_scriptable__(self) -> Any:
        """Raise an error; torch.jit.script calls this first."""
        raise InvalidTypeError.because(
            f"a {type(self).__name__}",
            must="be recorded by torch.jit.trace, torch.export or torch.onnx.export",
            but="is passed to torch.jit.script, which cannot compile it",
            remedy="Trace it: it then works for any batch size and number of time steps.",
        )


def frees_time(x: Tensor) -> bool:
    """Return whether torch.export records the call for any number of time steps.

    Args:
        x: (batch, time, input).
    """
    # To a compiler, which a strict export is too, is_exporting() is always True.
    return is_exporting() and not torch.compiler.is_dynamo_compiling() and isinstance(x.shape[1], torch.SymInt)


def records_loop(x: Tensor) -> bool:
    """Return whether a loop over the time steps of (batch, time, input) is recorded as a loop."""
    return is_tracing() or frees_time(x)


def loses_states(module: Any) -> str:
    """Name the kind of call in which tensors that a module stores are lost afterwards; return "" for any other call."""
    if getattr(module, "_is_replica", False):
        return "a replica of torch.nn.DataParallel"
    if is_tracing():
        return "a recording of torch.jit.trace"
    return "an ONNX model" if is_exporting() and _is_exporting_to_onnx() else ""


def _is_exporting_to_onnx() -> bool:
    # torch.onnx.is_in_onnx_export is False to a compiler, and the exporter also tries one.
    from torch.onnx._internal.exporter import _flags  # noqa: PLC0415

    return _flags._is_onnx_exporting  # noqa: SLF001


def record_loop(advance: Advance, sequences: Sequence[Tensor], held: Sequence[Tensor], start: States) -> tuple[Tensor, States]:
    """Step through sequences in a loop that is recorded as a loop.

    Args:
        advance: computes one step.
        sequences: (time, batch, feature) each; the first has the dtype of the call.
        held: the tensors that are the same at all steps.
        start: the states, (batch, hidden) each.

    Returns:
        The first state after every step, (batch, time, hidden), and the last states.
    """
    if is_tracing():
        return _script(advance, sequences, held, start)

    def body(states: States, step: Sequence[Tensor]) -> tuple[States, Tensor]:
        states = advance(step, held, states)
        return states, states[0].clone()

    from torch._higher_order_ops.scan import scan  # noqa: PLC0415  torch 2.5 has none

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's compiler reads .grad of every tensor
        last, outputs = scan(body, start, tuple(sequences))
    return outputs.transpose(0, 1), tuple(last)


def require_features(x: Tensor, size: int) -> Tensor:
    """Return a tensor; a traced call then raises an error for another size of its last axis.

    Torch's fused operations on a CPU read past the weights instead, and a trace keeps no check.
    """
    return x.reshape(*x.shape[:-1], size) if is_tracing() else x


def _script(advance: Advance, sequences: Sequence[Tensor], held: Sequence[Tensor], start: States) -> tuple[Tensor, States]:
    # ONNX has no loop over a list of sequences.
    joined, stacked = torch.cat([each.to(sequences[0].dtype) for each in sequences], dim=-1), torch.stack(start)
    with _not_tracing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.trace has already warned that it is deprecated
        sizes, dtypes = zip(*((each.shape[-1], each.dtype) for each in sequences), strict=True)

        def traced(step: Tensor, held: list[Tensor], states: Tensor) -> Tensor:
            parts = [part.to(dtype) for part, dtype in zip(torch.split(step, list(sizes), dim=-1), dtypes, strict=True)]
            return torch.stack(advance(parts, held, states.unbind(0)))

        example = (joined[0].detach(), [each.detach() for each in held], stacked.detach())
        one = torch.jit.trace(traced, example, check_trace=False)  # type: ignore[no-untyped-call]

        def loop(sequence: Tensor, held: list[Tensor], states: Tensor) -> tuple[Tensor, Tensor]:
            outputs = []
            for time in range(sequence.shape[0]):
                states = one(sequence[time], held, states)
                outputs.append(states[0])
            return torch.stack(outputs, dim=1), states

        # As types, because TorchScript cannot evaluate the names.
        loop.__annotations__ = {"sequence": Tensor, "held": list[Tensor], "states": Tensor, "return": tuple[Tensor, Tensor]}
        scripted: Any = torch.jit.script(loop)
    outputs, last = scripted(joined, list(held), stacked)
    return outputs, last.unbind(0)


@contextmanager
def _not_tracing() -> Iterator[None]:
    """Pause torch.jit.trace."""
    state: Any = torch._C._get_tracing_state()  # noqa: SLF001  torch has no public way
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]  # noqa: SLF001


def untraced(check: Callable[P, R]) -> Callable[P, R]:
    """Make a check read sizes and values while torch.jit.trace records, without a warning for each."""

    def checked(*given: P.args, **named: P.kwargs) -> R:
        if not is_tracing():
            return check(*given, **named)
        with _not_tracing():
            return check(*given, **named)

    checked.__doc__ = check.__doc__
    return checked
