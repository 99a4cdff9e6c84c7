"""Recording the calls of the modules of a torch model by hooks, which are removed afterwards."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.call_sites import user_line
from compare.models.recording.recorded import Recorded, Recording, adapter_of, arrays_in, is_recurrent, to_array, unpacked
from frameworks.adapter import Adapter
from frameworks.kinds import FAMILIES, family_of

Array = npt.NDArray[Any]


@dataclass(eq=False)
class _Open:
    """A call that has not returned yet."""

    index: int
    inputs: tuple[Array, ...]
    mask: Array | None
    packed: bool
    line: str


@dataclass(eq=False)
class _Recorder:
    """What the hooks of one recording share."""

    recording: Recording
    counts: dict[int, int] = field(default_factory=dict)
    running: list[_Open] = field(default_factory=list)

    def before(self, module: Any, positional: Any, _: Any) -> None:
        first = positional[0] if positional else None
        packed = hasattr(first, "batch_sizes")
        mask = unpacked(first)[1] if packed else None
        index = len(self.recording.calls)
        self.recording.calls.append(Recorded("", module, (), {}, ()))  # its place; its parts come after it
        self.running.append(_Open(index, arrays_in(positional), mask, packed, user_line()))

    def after(self, name: str, adapter: Adapter | None, module: Any, given: Mapping[str, Any], returned: Any) -> None:
        call = self.running.pop()
        number = self.counts.get(id(module), 0)
        self.counts[id(module)] = number + 1
        kept = {each: arrays for each, value in given.items() if (arrays := arrays_in(value))}
        mask = kept["mask"][0] if call.mask is None and "mask" in kept else call.mask
        inputs = call.inputs
        if not inputs and "input" in kept:
            inputs = kept.pop("input")
        self.recording.dtypes |= _dtypes(returned)
        around = self.running[-1].index if self.running else None
        self.recording.calls[call.index] = Recorded(
            name,
            module,
            inputs,
            kept,
            arrays_in(returned),
            number,
            call.index,
            mask,
            call.packed,
            adapter,
            call.line,
            around,
        )


def run_recorded(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> tuple[Recording, Any]:
    """Call a torch model in inference mode; return the recorded calls of its modules, and what it returned."""
    torch = sys.modules["torch"]
    model = getattr(model, "_orig_mod", model)  # of torch.compile, which may run no Python
    recording = Recording()
    recorder = _Recorder(recording)
    device = device_of(model)

    def tensor(array: Array) -> Any:
        return torch.from_numpy(np.array(array)).to(device)

    leaves = list(leaves_of(model))
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.no_grad())
        for name, module, adapter in leaves:
            handles = (
                module.register_forward_pre_hook(recorder.before, with_kwargs=True),
                module.register_forward_hook(_closing(recorder, name, adapter), with_kwargs=True),
            )
            for handle in handles:
                stack.callback(handle.remove)
        arguments = [tensor(each) for each in inputs]
        keywords = {name: tensor(each) for name, each in named.items()}
        if len(keywords) > 1 and len(inspect.signature(model.forward).parameters) == 1:
            arguments, keywords = [keywords], {}
        with _noting_changes(model, recording):
            returned = model(*arguments, **keywords)
    recording.dtypes |= _dtypes(returned)
    recording.uncalled = [
        name
        for name, module, _ in leaves
        if id(module) not in recorder.counts and _does_something(module) and not any(module.children())
    ]
    return recording, returned


def call_module(module: Any, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Call a module in inference mode on arrays, and return what it returns."""
    torch = sys.modules["torch"]
    device = device_of(module)
    with evaluating(module), torch.no_grad():
        return arrays_in(module(*(torch.from_numpy(np.array(array)).to(device) for array in inputs)))


def device_of(model: Any) -> Any:
    """Return the device of a module's first parameter or buffer."""
    tensors = (*model.parameters(), *model.buffers())
    return next((each.device for each in tensors), sys.modules["torch"].device("cpu"))


def leaves_of(model: Any) -> Iterator[tuple[str, Any, Adapter | None]]:
    """Yield the name of each module that is a layer to its reader, the module, and its adapter if it is recurrent."""
    return _leaves(model, "", set())


def _leaves(module: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any, Adapter | None]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    adapter = adapter_of(module)
    children = list(module.named_children())
    if isinstance(module, sys.modules["torch"].jit.ScriptModule):  # it has no hooks
        return
    kind = type(module)
    built_in = kind.__module__.startswith("torch.") and (kind.__name__ in FAMILIES or is_recurrent(module))
    if adapter is not None or not children or hasattr(module, "parametrizations") or built_in:
        yield name or type(module).__name__, module, adapter
        return
    if name and (not kind.__module__.startswith("torch.") or kind.__name__ == "Sequential"):  # a layer too, perhaps
        yield name, module, None
    for child_name, child in children:
        yield from _leaves(child, f"{name}.{child_name}".lstrip("."), seen)


def _closing(recorder: _Recorder, name: str, adapter: Adapter | None) -> Any:
    def hook(module: Any, _: Any, given: Mapping[str, Any], returned: Any) -> None:
        recorder.after(name, adapter, module, given, returned)

    return hook


def _does_something(module: Any) -> bool:
    family = family_of(type(module).__name__).name
    return family not in ("dropout", "identity") and not type(module).__name__.endswith(("List", "Dict", "Loss"))


def _dtypes(returned: Any) -> set[str]:
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    if isinstance(returned, (tuple, list)):
        return {name for each in returned for name in _dtypes(each)}
    return {str(returned.dtype).removeprefix("torch.")} if hasattr(returned, "dtype") else set()


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put all modules into evaluation mode, and each back into its own."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _noting_changes(model: Any, recording: Recording) -> Iterator[None]:
    """Note which weights and buffers the call changes, and whether it draws random numbers."""
    kept = {name: (each, each.detach().clone()) for name, each in (*model.named_parameters(), *model.named_buffers())}
    before = _random_states()
    try:
        yield
    finally:
        recording.draws = any(not one.equal(other) for one, other in zip(before, _random_states(), strict=True))
        recording.note_changes(name for name, (each, own) in kept.items() if each.shape != own.shape or not _same(each, own))


def _random_states() -> list[Any]:
    torch = sys.modules["torch"]
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [])]


def _same(one: Any, two: Any) -> bool:
    return bool(np.array_equal(to_array(one), to_array(two), equal_nan=one.dtype.is_floating_point))
