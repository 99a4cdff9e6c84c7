"""Calls of modules and methods, and of the functions that pack, while a module is recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from frameworks.models.tracing.sizes import BRANCH
from frameworks.models.tracing.steps import Function, Method, ModuleCall


class Calls:
    """What records the calls of a recorder's modules.

    Args:
        recorder: the recorder.
    """

    def __init__(self, recorder: Any) -> None:
        """Belong to a recorder."""
        self.recorder = recorder

    def module(self, call: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Call a module, and record it: a module of torch as one step, another with all that it does."""
        recorder = self.recorder
        path = recorder.paths.get(id(module))
        if path is None:
            return call(module, *args, **kwargs)
        if not is_of_torch(module) or holds_modules(module):
            return self.method(module, "forward", lambda *a, **k: call(module, *a, **k), module.forward, args, kwargs)
        step = ModuleCall(recorder.tensors.recorded(args), recorder.tensors.recorded(kwargs), None, recorder.line(), path=path)
        with unwatched(), torch._C.DisableTorchFunction():
            result = call(module, *args, **kwargs)
            if any(result is each for each in args) and not getattr(module, "inplace", False):
                result = result.view_as(result)
        recorder.require_drawn_nothing(f"{type(module).__name__} {path}".strip())
        recorder.add(step)
        step.result = recorder.made(result)
        return result

    def method(self, owner: nn.Module, name: str, call: Any, function: Any, args: Any, kwargs: Any) -> Any:
        """Call a method of one of the user's modules, and record all that it does."""
        recorder = self.recorder
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = recorder.tensors.recorded(dict(bound.arguments))
        step = Method((), {}, None, recorder.line(), path=recorder.paths[id(owner)], name=name, arguments=arguments)
        recorder.blocks.append(step.body)
        recorder.methods.append(step)
        try:
            result = call(*args, **kwargs)
            step.body.result = step.result = recorder.tensors.recorded(result)
        finally:
            recorder.blocks.pop()
            recorder.methods.pop()
        if step.body.steps:
            recorder.add(step)
        return result

    def packing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands in for a function that packs or unpacks: it is recorded as one step."""

        def pack(*args: Any, **kwargs: Any) -> Any:
            recorder = self.recorder
            bound = inspect.signature(function).bind(*args, **kwargs)
            bound.apply_defaults()
            given = recorder.tensors.recorded(dict(bound.arguments))
            step = Function((), given, None, recorder.line(), name=function.__name__)
            with unwatched(), torch._C.DisableTorchFunction():
                result = function(*args, **kwargs)
            recorder.add(step)
            step.result = recorder.made(result)
            return result

        return pack


@contextmanager
def unwatched() -> Iterator[None]:
    """Do not take the comparisons in torch's own code for branches of the module."""
    compared, BRANCH.compared = BRANCH.compared, None
    try:
        yield
    finally:
        BRANCH.compared = compared


def is_of_torch(module: nn.Module) -> bool:
    """Return whether a module's class is torch's own."""
    return type(module).__module__.split(".")[0] == "torch"


def holds_modules(module: nn.Module) -> bool:
    """Return whether a module of torch is but a way to call others: a Sequential, a TransformerEncoder."""
    return any(True for _ in module.children()) and not isinstance(module, nn.MultiheadAttention)
