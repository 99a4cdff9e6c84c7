"""`trace`: several records of a module, at several sizes, as one."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.models.tracing.axes import LEAST, Axis, accepted, free_axes, resized, sizes_of
from frameworks.models.tracing.collecting import collect
from frameworks.models.tracing.matching import MismatchError, Pairs, require_alike
from frameworks.models.tracing.pruning import prune
from frameworks.models.tracing.recording import Recorder
from frameworks.models.tracing.refusing import depending
from frameworks.models.tracing.rolling import Rolling
from frameworks.models.tracing.steps import Function, Loop, Method, ModuleCall, Value, values_in
from frameworks.models.tracing.watching import recording

BATCH, TIME = "batch", "time"


@dataclass(frozen=True, eq=False)
class Trace:
    """What a module does with inputs of any size.

    Args:
        module: the module; no call has changed it.
        root: the call of its `forward`; sizes that vary are numbers with an origin, wherever they are used.
        inputs: the values of its arguments that are tensors, by the parameters' names.
        axes: for each value the name of each of its axes that varies, None for an axis of fixed size.
        size_names: the names that the code gives to sizes, by the number of the value and the axis.
        remarks: what its source does not say, in sentences.
    """

    module: nn.Module
    root: Method
    inputs: Mapping[str, Value]
    axes: Mapping[Value, tuple[str | None, ...]] = field(default_factory=dict)
    size_names: Mapping[tuple[int, int], str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def is_chain(self, path: str) -> bool:
        """Return whether the module at a path is a Sequential, which only passes on."""
        return isinstance(self.module.get_submodule(path), nn.Sequential)

    def calls_of(self, path: str) -> int:
        """Return how many calls of a module of torch its code has, of which each may take other results."""
        places = {
            (step.line, at)
            for block in [
                self.root.body,
                *(step.body for step in self.root.body.all_steps() if isinstance(step, (Method, Loop))),
            ]
            for at, step in enumerate(each for each in block.steps if isinstance(each, ModuleCall) and each.path == path)
        }
        return len(places)

    def parameter(self, path: str) -> torch.Tensor:
        """Return a parameter, buffer or other tensor of the module."""
        owner, _, name = path.rpartition(".")
        held: torch.Tensor = getattr(self.module.get_submodule(owner), name)
        return held


def trace(module: nn.Module, example: tuple[Any, ...] | Mapping[str, Any]) -> Trace:
    """Record a module.

    Args:
        module: the module, in evaluation mode.
        example: the arguments of one call.

    Raises:
        GatewiseError: for code that cannot be followed, with its line.
    """
    given = _arguments(module, example)
    tensors = {name: each for name, each in given.items() if isinstance(each, torch.Tensor)}
    call = _caller(module, given)
    groups = free_axes(tensors, call)
    base = {axis: max(size, LEAST) for axis, size in sizes_of(tensors).items() if any(axis in group for group in groups)}
    base = _distinct(base, groups)
    records = [_record(module, given, _with_full_lengths(module, given, resized(tensors, base)))]
    for group in groups:
        sizes = {**base, **{axis: 2 * base[axis] + 1 for axis in group}}
        records += [_record(module, given, _with_full_lengths(module, given, resized(tensors, sizes)))]
    names = _group_names(groups)
    return _unified(module, records, names)


def _arguments(module: nn.Module, example: tuple[Any, ...] | Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name, arrays as tensors."""
    parameters = inspect.signature(module.forward)
    try:
        bound = parameters.bind(**example) if isinstance(example, Mapping) else parameters.bind(*example)
    except TypeError as error:
        raise InvalidValueError.because(
            "example",
            must=f"be the arguments of one call of forward{parameters}",
            but=f"is not: {error}",
            remedy="Pass a tuple, or a mapping by the names of the parameters.",
        ) from error
    given = {name: torch.as_tensor(each) if isinstance(each, np.ndarray) else each for name, each in bound.arguments.items()}
    for name, each in given.items():
        if isinstance(each, (tuple, list, dict)):
            raise InvalidTypeError.because(
                f"the argument {name}",
                must="be a tensor or a number",
                but=f"is a {type(each).__name__}",
                remedy="Give forward a parameter for each tensor in it.",
            )
    return given


def _caller(module: nn.Module, given: Mapping[str, Any]) -> Callable[[Mapping[str, torch.Tensor]], Any]:
    def call(inputs: Mapping[str, torch.Tensor]) -> Any:
        with torch.no_grad():
            return copy.deepcopy(module).eval()(**{**given, **inputs})

    return call


def _with_full_lengths(module: nn.Module, given: Mapping[str, Any], inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return inputs in which the longest row has the whole length: padding cuts off the rest, whose size would not vary."""
    recorder, _ = _record(module, given, inputs)
    steps = [step for step in recorder.blocks[0].all_steps() if isinstance(step, Function)]
    for step in steps:
        lengths = step.kwargs.get("lengths") if step.name == "pack_padded_sequence" else None
        name = next((name for name, value in recorder.inputs.items() if value is lengths), None)
        if name is not None:
            own = inputs[name].clone()
            own[own.argmax()] = step.kwargs["input"].shape[1 if step.kwargs["batch_first"] else 0]
            inputs = {**inputs, name: own}
    return inputs


def _distinct(sizes: dict[Axis, int], groups: list[tuple[Axis, ...]]) -> dict[Axis, int]:
    """Return sizes of which no two groups share one."""
    taken: set[int] = set()
    for group in groups:
        size = max(sizes[axis] for axis in group)
        while size in taken or size - 1 in taken or size + 1 in taken:
            size += 1
        taken.add(size)
        sizes |= dict.fromkeys(group, size)
    return sizes


def _record(module: nn.Module, given: Mapping[str, Any], inputs: Mapping[str, torch.Tensor]) -> tuple[Recorder, Rolling]:
    own = copy.deepcopy(module).eval()
    arguments = {**given, **inputs}
    recorder = Recorder(own, arguments)
    with torch.no_grad(), recording(recorder):
        own(**arguments)
    rolling = Rolling(recorder.blocks[0], recorder.tensors.count)
    collect(recorder.blocks[0], count(rolling.numbers))
    prune(recorder.blocks[0])
    return recorder, rolling


def _group_names(groups: list[tuple[Axis, ...]]) -> list[str]:
    """Return a name for each group of axes: the first axis of the inputs is the batch, the second is time."""
    names: list[str] = []
    for group in groups:
        lowest = min(axis for _, axis in group)
        wanted = (BATCH, TIME)[lowest] if lowest < 2 else f"axis_{lowest}"
        if wanted in names:
            wanted = f"{group[0][0]}_{wanted}"
        names.append(wanted)
    return names


def _unified(module: nn.Module, records: list[tuple[Recorder, Rolling]], names: list[str]) -> Trace:
    first, rolling = records[0]
    axes: dict[Value, list[str | None]] = {}
    root = cast("Method", first.blocks[0].steps[0])
    for name, (other, _) in zip(names, records[1:], strict=True):
        try:
            pairs = _paired(first, other)
        except MismatchError as why:
            raise _refusal(why, rolling) from None
        for mine, theirs in pairs.values.items():
            known = axes.setdefault(mine, [None] * len(mine.shape))
            for axis, (size, grown) in enumerate(zip(mine.shape, theirs.shape, strict=True)):
                if size != grown:
                    known[axis] = name if known[axis] is None and grown == 2 * size + 1 else "*"
    inputs = {name: value for name, value in first.inputs.items() if isinstance(value, Value)}
    return Trace(module, root, inputs, {value: tuple(each) for value, each in axes.items()}, first.size_names, _remarks(first))


def _paired(first: Recorder, other: Recorder) -> Pairs:
    """Return which values of two records stand for each other, and require that they are alike."""
    pairs = Pairs(first.blocks[0].steps, other.blocks[0].steps)
    pairs.values |= dict(zip(values_in(first.inputs), values_in(other.inputs), strict=True))
    require_alike(pairs, lambda value, held: pairs.values.get(value) is held)
    return pairs


def _refusal(why: MismatchError, rolling: Rolling) -> Exception:
    """Return the refusal of what differs from size to size; of a loop it is what kept its turns apart."""
    for line, what in rolling.written_out:
        if what != "has a loop of few turns":
            return depending(what, line)
    return depending(why.what, why.line)


def _remarks(recorder: Recorder) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for line, name, one, other, result in recorder.comparisons:
        found[f"{line}: {one!r} {name} {other!r} is {result}"] = None
    return tuple(found)


def other_sizes(module: nn.Module, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return further arguments of a module, with other sizes of the axes that may have any.

    Args:
        module: the module.
        example: the arguments of one call by name, as arrays.

    Returns:
        Arrays by name: first with every free axis longer, then with one row; none if no axis is free.
    """
    tensors = {name: torch.as_tensor(each) for name, each in example.items()}
    call = _caller(module, {})
    groups = free_axes(tensors, call)
    if not groups:
        return []
    sizes = sizes_of(tensors)
    longer = {axis: sizes[axis] + 2 + at for at, group in enumerate(groups) for axis in group}
    found = [_with_full_lengths(module, {}, resized(tensors, longer))]
    one = resized(tensors, dict.fromkeys(groups[0], 1))
    if accepted(one, call):
        found.append(one)
    return [{name: each.numpy() for name, each in inputs.items()} for inputs in found]
