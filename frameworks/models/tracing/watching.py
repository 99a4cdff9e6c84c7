"""What is replaced in torch and in the user's code while a module is recorded."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from torch import nn
from torch.nn.utils import rnn

from frameworks.models.tracing.patching import Patches
from frameworks.models.tracing.recording import Recorder
from frameworks.models.tracing.sizes import BRANCH

PACKING = ("pack_padded_sequence", "pad_packed_sequence", "pack_sequence", "pad_sequence", "unpad_sequence", "unpack_sequence")


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Record while the context lasts; afterwards everything is as it was."""
    with ExitStack() as stack:
        patches = stack.enter_context(Patches())
        _patch(recorder, patches)
        BRANCH.compared = recorder.compared
        stack.callback(setattr, BRANCH, "compared", None)
        previous = sys.getprofile()

        def at_return(frame: FrameType, event: str, _: Any) -> None:
            if event == "return" and recorder.places.owns(frame):
                recorder.name_from(frame.f_locals)

        sys.setprofile(at_return)
        stack.callback(sys.setprofile, previous)
        stack.enter_context(recorder)
        yield


def _patch(recorder: Recorder, patches: Patches) -> None:
    call = nn.Module.__call__
    calls = recorder.calls
    patches.set(nn.Module, "__call__", lambda module, *args, **kwargs: calls.module(call, module, args, kwargs))
    for owner in recorder.classes:
        for name, function in list(vars(owner).items()):
            if _is_method(name, function):
                patches.set(owner, name, _method(recorder, name, function))
    namespaces = recorder.places.namespaces.values()
    for name in PACKING:
        original = getattr(rnn, name)
        recorded = calls.packing(original)
        patches.set(rnn, name, recorded)
        for names in namespaces:
            for alias in [alias for alias, held in names.items() if held is original]:
                patches.item(names, alias, recorded)
    for names in namespaces:
        for name, stand_in in recorder.builtins.items():
            patches.item(names, name, stand_in)


def _method(recorder: Recorder, name: str, function: Any) -> Any:
    def method(owner: nn.Module, *args: Any, **kwargs: Any) -> Any:
        bound = function.__get__(owner)
        if id(owner) not in recorder.paths:
            return bound(*args, **kwargs)
        return recorder.calls.method(owner, name, bound, bound, args, kwargs)

    return method


def _is_method(name: str, function: Any) -> bool:
    return (
        inspect.isfunction(function)
        and name != "forward"
        and not (name.startswith("__") and name.endswith("__"))
        and not inspect.isgeneratorfunction(function)
    )
