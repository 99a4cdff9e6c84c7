"""Running a module and recording what it calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from frameworks.models.tracing.calls import Calls, unwatched
from frameworks.models.tracing.iterating import Turning, Turns
from frameworks.models.tracing.patching import user_classes
from frameworks.models.tracing.places import Places
from frameworks.models.tracing.reading import READERS, name_of
from frameworks.models.tracing.refusing import branching, drawing, modified, reading_data
from frameworks.models.tracing.sizes import Of, Whole
from frameworks.models.tracing.steps import Block, Function, Line, Step, Value, leaves
from frameworks.models.tracing.tensors import Tensors, is_tensor

_SAME = {"contiguous", "to", "float", "double", "long", "int", "bool", "type", "cpu", "cuda", "type_as", "detach"}
_TO_NUMBER = {"item", "__int__", "__index__", "__float__"}
_DATA = {"__bool__", "tolist", "numpy", "__array__", "__contains__", *_TO_NUMBER}
_DRAWING = frozenset(
    [
        "rand",
        "randn",
        "randint",
        "rand_like",
        "randn_like",
        "randint_like",
        "randperm",
        "normal",
        "normal_",
        "bernoulli",
        "bernoulli_",
        "multinomial",
        "poisson",
        "exponential_",
        "uniform_",
        "random_",
        "cauchy_",
        "geometric_",
        "log_normal_",
    ]
)


class Recorder(TorchFunctionMode):
    """What a module calls, while it is active.

    Args:
        module: the module.
        inputs: the arguments of the call, whose tensors become the first values.
        training: whether the module is in training mode, where it may draw random numbers.
    """

    def __init__(self, module: nn.Module, inputs: Mapping[str, Any], *, training: bool = False) -> None:
        """Give each tensor of the inputs and each parameter its record."""
        super().__init__()
        self.module = module
        self.training = training
        self.paths = {id(each): path for path, each in module.named_modules(remove_duplicate=True)}
        self.classes = user_classes(module)
        self.places = Places(self.classes)
        self.tensors = Tensors(module, self.line)
        self.blocks = [Block()]
        self.turning = Turning(self)
        self.calls = Calls(self)
        self.comparisons: list[tuple[Line, str, Any, Any, bool]] = []
        self.methods: list[Any] = [None]  # the calls that are running
        self.size_names: dict[tuple[int, int], str] = {}
        self._makers: dict[Value, Any] = {}
        self.inputs = self.made(dict(inputs))
        self._drawn = torch.get_rng_state()
        self.builtins = {
            "range": self.turning.range,
            "enumerate": self.turning.enumerate,
            "len": self._len,
        }

    # Values and places

    def made(self, structure: Any) -> Any:
        """Return a structure with a new value for each of its tensors, which the method that runs has made."""
        found = self.tensors.made(structure)
        for value in leaves(found):
            if isinstance(value, Value):
                self._makers[value] = self.methods[-1]
        return found

    def known(self, tensor: Any) -> Value | None:
        """Return the value that stands for a tensor; None for one that the code did not make of tensors."""
        return self.tensors.known.get(id(tensor))

    def line(self) -> Line:
        """Return the line of the user's code that is running."""
        return self.places.line()

    def add(self, step: Step) -> None:
        """Record a step."""
        frame = self.places.frame()
        if frame is not None:
            self.name_from(frame.f_locals)
        self.blocks[-1].steps.append(step)

    def name_from(self, variables: Mapping[str, Any]) -> None:
        """Take the names of a piece of code for the values that they stand for."""
        for name, held in variables.items():
            if isinstance(held, Whole) and held.of.what == "size":
                self.size_names.setdefault((held.of.parts[0].number, held.of.parts[1]), name)
            value = self.known(held) if is_tensor(held) else None
            if value is None or name.startswith("."):
                continue
            method = self.methods[-1]
            if self._makers[value] is method:
                value.name = value.name or name
            elif method is not None:
                method.names.setdefault(value, name)

    # Functions

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Call a function of torch, and record it."""
        kwargs, name = kwargs or {}, name_of(func)
        with unwatched():
            if name in READERS:
                return READERS[name](self, func, args, kwargs)
            if name in _DATA:
                return self._as_number(func, name, args)
            if name in _DRAWING:
                raise drawing(name, self.line())
            return self._call(func, name, args, kwargs)

    def _as_number(self, func: Any, name: str, args: tuple[Any, ...]) -> Any:
        (tensor, *_) = args
        if name == "__bool__":
            raise branching(self.line())
        value = self.known(tensor)
        if value is None:
            return func(*args)
        whole = not tensor.dtype.is_floating_point
        if whole and name == "item":
            return Whole.made(int(func(*args)), Of("item", (value,)))
        if whole and name == "tolist" and tensor.dim() == 1:
            return [Whole.made(each, Of("item", (value, at))) for at, each in enumerate(func(*args))]
        raise reading_data(name, self.line())

    def _call(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        line, in_place = self.line(), _in_place(name, kwargs)
        given, named = self.tensors.recorded(args), self.tensors.recorded(kwargs)
        if in_place and id(args[0]) in self.tensors.parameters:
            raise modified(self.tensors.parameters[id(args[0])].path, line)
        result = func(*args, **kwargs)
        self.require_drawn_nothing(name)
        step = Function(given, named, None, line, name=name)
        if in_place:
            self.tensors.spoil(args[0], line)
            step.name = name if name == "__setitem__" else name.rstrip("_")
            self.add(step)
            step.result = self.made(args[0])
            return result
        if any(result is each for each in args):
            if name in _SAME:
                return result
            result = result.view_as(result)
        if not any(is_tensor(leaf) for leaf in leaves(result)):
            return result
        self.add(step)
        step.result = self.made(result)
        if name == "unbind" and self.known(args[0]):
            return Turns(self.turning, result, args[0], *_axis(args, kwargs))
        return result

    def turn_of(self, tensor: torch.Tensor, axis: int, index: Any) -> torch.Tensor:
        """Return the part of a tensor that a turn of a loop gets."""
        with torch._C.DisableTorchFunction():
            part = tensor.select(axis, int(index))
        self.add(Function((self.known(tensor), axis, index), {}, self.made(part), self.line(), name="select"))
        return part

    def require_drawn_nothing(self, name: str) -> None:
        """Require that a call has drawn no random numbers, unless the module is in training mode."""
        with torch._C.DisableTorchFunction():
            drawn = not torch.equal(self._drawn, torch.get_rng_state())
        if drawn and not self.training:
            raise drawing(name, self.line())

    # Python's own functions

    def _len(self, held: Any) -> Any:
        return held.size(0) if isinstance(held, torch.Tensor) and self.known(held) else len(held)

    def compared(self, name: str, one: Any, other: Any, result: bool) -> None:  # noqa: FBT001
        """Remember a comparison of sizes in the user's code."""
        if self.places.owns(sys._getframe(2)):
            self.comparisons.append((self.line(), name, one, other, result))


def _in_place(name: str, kwargs: Mapping[str, Any]) -> bool:
    return name == "__setitem__" or kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__"))


def _axis(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int]:
    return (int(kwargs.get("dim", args[1] if len(args) > 1 else 0)),)
