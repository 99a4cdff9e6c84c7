"""Running a module and recording what it calls."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.utils import rnn
from torch.overrides import TorchFunctionMode

from frameworks.models.tracing.iterating import Turning, Turns
from frameworks.models.tracing.patching import Patches, user_classes, user_namespaces
from frameworks.models.tracing.reading import READERS, name_of
from frameworks.models.tracing.refusing import branching, drawing, modified, reading_data
from frameworks.models.tracing.sizes import BRANCH, Of, Whole
from frameworks.models.tracing.steps import (
    Block,
    Constant,
    Function,
    Line,
    Method,
    ModuleCall,
    Parameter,
    Step,
    Value,
    items_of,
    leaves,
    mapped,
)

PACKING = ("pack_padded_sequence", "pad_packed_sequence", "pack_sequence", "pad_sequence", "unpad_sequence", "unpack_sequence")
_SAME = {"contiguous", "to", "float", "double", "long", "int", "bool", "type", "cpu", "cuda", "type_as", "detach"}
_TO_NUMBER = {"item", "__int__", "__index__", "__float__"}
_DATA = {"__bool__", "tolist", "numpy", "__array__", "__contains__", *_TO_NUMBER}


class Recorder(TorchFunctionMode):
    """What a module calls, while it is active.

    Args:
        module: the module.
        inputs: the arguments of the call, whose tensors become the first values.
    """

    def __init__(self, module: nn.Module, inputs: Mapping[str, Any]) -> None:
        """Give each tensor of the inputs and each parameter its record."""
        super().__init__()
        self.module = module
        self.paths = {id(each): path for path, each in module.named_modules(remove_duplicate=True)}
        self.known: dict[int, Any] = {}
        self._kept: list[Any] = []  # or another tensor might get an identity that is known
        self.blocks = [Block()]
        self.turning = Turning(self)
        self.comparisons: list[tuple[Line, str, Any, Any, bool]] = []
        self.count = 0
        self._stale: dict[int, str] = {}
        self.methods: list[Any] = [None]  # the calls that are running
        self._makers: dict[Value, Any] = {}
        self.size_names: dict[tuple[int, int], str] = {}
        self._classes = user_classes(module)
        self._namespaces = {id(names): names for names in user_namespaces(self._classes)}
        self.parameters = {id(each): Parameter(path, tuple(each.shape), dtype_of(each)) for path, each in _held(module)}
        self.inputs = mapped(dict(inputs), lambda leaf: self.value_for(leaf) if isinstance(leaf, torch.Tensor) else leaf)

    # Values

    def value_for(self, tensor: Any, name: str = "") -> Value:
        """Return a new value that stands for a tensor from now on."""
        packed = isinstance(tensor, rnn.PackedSequence)
        data = tensor.data if packed else tensor
        value = Value(self.count, tuple(int(size) for size in data.shape), dtype_of(data), name, packed)
        self._makers[value] = self.methods[-1]
        self.count += 1
        self.known[id(tensor)] = value
        self._kept.append(tensor)
        return value

    def recorded(self, structure: Any) -> Any:
        """Return a structure with what stands for each of its tensors."""
        return _mapped(structure, self._leaf)

    def _leaf(self, leaf: Any) -> Any:
        if isinstance(leaf, rnn.PackedSequence) or (isinstance(leaf, torch.Tensor) and id(leaf) in self.known):
            if id(leaf) in self._stale:
                raise modified(self._stale[id(leaf)], self.line())
            return self.known[id(leaf)]
        if isinstance(leaf, torch.Tensor):
            if id(leaf) in self.parameters:
                return self.parameters[id(leaf)]
            self._kept.append(leaf)
            return Constant(leaf.detach().cpu().numpy())
        if isinstance(leaf, torch.dtype):
            return str(leaf).removeprefix("torch.")
        return leaf

    def add(self, step: Step) -> None:
        """Record a step."""
        self._name_values()
        self.blocks[-1].steps.append(step)

    # Places

    def frame(self) -> FrameType | None:
        """Return the frame of the user's code that is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and id(frame.f_globals) not in self._namespaces:
            frame = frame.f_back
        return frame

    def line(self) -> Line:
        """Return the line of the user's code that is running."""
        frame = self.frame()
        return Line(frame.f_code.co_filename, frame.f_lineno) if frame else Line("", 0)

    def _name_values(self) -> None:
        frame = self.frame()
        if frame is not None:
            self.name_from(frame.f_locals)

    def name_from(self, variables: Mapping[str, Any]) -> None:
        """Take the names of a piece of code for the values that they stand for."""
        for name, held in variables.items():
            if isinstance(held, Whole) and held.of.what == "size":
                self.size_names.setdefault((held.of.parts[0].number, held.of.parts[1]), name)
            value = self.known.get(id(held)) if isinstance(held, (torch.Tensor, rnn.PackedSequence)) else None
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
        with _unwatched():
            if name in READERS:
                return READERS[name](self, func, args, kwargs)
            if name in _DATA:
                return self._as_number(func, name, args)
            if name.startswith(_DRAWING):
                raise drawing(name, self.line())
            return self._call(func, name, args, kwargs)

    def _as_number(self, func: Any, name: str, args: tuple[Any, ...]) -> Any:
        (tensor, *_) = args
        if name == "__bool__":
            raise branching(self.line())
        if name in _TO_NUMBER and id(tensor) in self.known and not tensor.dtype.is_floating_point and name == "item":
            return Whole.made(int(func(*args)), Of("item", (self.known[id(tensor)],)))
        if name == "tolist" and id(tensor) in self.known and tensor.dim() == 1 and not tensor.dtype.is_floating_point:
            value = self.known[id(tensor)]
            return [Whole.made(each, Of("item", (value, at))) for at, each in enumerate(func(*args))]
        if id(tensor) not in self.known:
            return func(*args)
        raise reading_data(name, self.line())

    def _call(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        line, in_place = self.line(), _in_place(name, kwargs)
        given, named = self.recorded(args), self.recorded(kwargs)
        result = func(*args, **kwargs)
        if in_place:
            target = args[0]
            if id(target) in self.parameters:
                raise modified(self.parameters[id(target)].path, line)
            self._spoil(target, line)
            step = Function(given, named, None, line, name=name.rstrip("_") if name != "__setitem__" else name)
            self.add(step)
            step.result = self.value_for(target)
            return result
        if any(result is each for each in args):
            if name in _SAME:
                return result
            result = result.view_as(result)
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves(result)):
            return result
        step = Function(given, named, None, line, name=name)
        self.add(step)
        step.result = _mapped(result, lambda leaf: self.value_for(leaf) if isinstance(leaf, torch.Tensor) else leaf)
        return Turns(self.turning, result, args[0], *_axis(args, kwargs)) if name == "unbind" and id(args[0]) in self.known else result

    def turn_of(self, tensor: torch.Tensor, axis: int, index: Any) -> torch.Tensor:
        """Return the part of a tensor that a turn of a loop gets."""
        with torch._C.DisableTorchFunction():
            part = tensor.select(axis, int(index))
        self.add(Function((self.known[id(tensor)], axis, index), {}, self.value_for(part), self.line(), name="select"))
        return part

    def _spoil(self, target: torch.Tensor, line: Line) -> None:
        """Remember the tensors that share memory with one that is modified: what they hold is not known any more."""
        place = target.untyped_storage().data_ptr()
        for each in self._kept:
            if isinstance(each, torch.Tensor) and each is not target and each.untyped_storage().data_ptr() == place:
                if id(each) in self.known:
                    self._stale[id(each)] = str(line)

    # Modules and methods

    def call_module(self, call: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Call a module, and record it: a module of torch as one step, another with all that it does."""
        path = self.paths.get(id(module))
        if path is None:
            return call(module, *args, **kwargs)
        if not is_of_torch(module) or holds_modules(module):
            return self.call_method(module, "forward", lambda *a, **k: call(module, *a, **k), module.forward, args, kwargs)
        line = self.line()
        step = ModuleCall(self.recorded(args), self.recorded(kwargs), None, line, path=path)
        with _unwatched(), torch._C.DisableTorchFunction():
            result = call(module, *args, **kwargs)
            if any(result is each for each in args) and not getattr(module, "inplace", False):
                result = result.view_as(result)
        self.add(step)
        step.result = _mapped(result, lambda leaf: self.value_for(leaf) if _is_tensor(leaf) else leaf)
        return result

    def call_method(self, owner: nn.Module, name: str, call: Any, function: Any, args: Any, kwargs: Any) -> Any:
        """Call a method of one of the user's modules, and record all that it does."""
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = self.recorded(dict(bound.arguments))
        step = Method((), {}, None, self.line(), path=self.paths[id(owner)], name=name, arguments=arguments)
        self.blocks.append(step.body)
        self.methods.append(step)
        try:
            result = call(*args, **kwargs)
            step.body.result = step.result = self.recorded(result)
        finally:
            self.blocks.pop()
            self.methods.pop()
        if step.body.steps:
            self.add(step)
        return result

    def pack(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a function that packs or unpacks, and record it as one step."""
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        step = Function((), self.recorded(dict(bound.arguments)), None, self.line(), name=function.__name__)
        with _unwatched(), torch._C.DisableTorchFunction():
            result = function(*args, **kwargs)
        self.add(step)
        step.result = _mapped(result, lambda leaf: self.value_for(leaf) if _is_tensor(leaf) else leaf)
        return result

    # The whole

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record while the context lasts."""
        with ExitStack() as stack:
            patches = stack.enter_context(Patches())
            self._patch(patches)
            BRANCH.compared = self._compared
            stack.callback(setattr, BRANCH, "compared", None)
            previous = sys.getprofile()
            sys.setprofile(self._at_return)
            stack.callback(sys.setprofile, previous)
            stack.enter_context(self)
            yield

    def _patch(self, patches: Patches) -> None:
        call = nn.Module.__call__
        patches.set(nn.Module, "__call__", lambda module, *args, **kwargs: self.call_module(call, module, args, kwargs))
        for owner in self._classes:
            for name, function in list(vars(owner).items()):
                if _is_method(name, function):
                    patches.set(owner, name, self._method(name, function))
        namespaces = self._namespaces.values()
        for name in PACKING:
            original = getattr(rnn, name)
            recorded = self._packing(original)
            patches.set(rnn, name, recorded)
            for names in namespaces:
                for alias in [alias for alias, held in names.items() if held is original]:
                    patches.item(names, alias, recorded)
        for names in namespaces:
            patches.item(names, "range", lambda *bounds: self.turning.range(*bounds))
            patches.item(names, "enumerate", self.turning.enumerate)
            patches.item(names, "len", self._len)

    def _method(self, name: str, function: Any) -> Any:
        def method(owner: nn.Module, *args: Any, **kwargs: Any) -> Any:
            bound = function.__get__(owner)
            if id(owner) not in self.paths:
                return bound(*args, **kwargs)
            return self.call_method(owner, name, bound, bound, args, kwargs)

        return method

    def _packing(self, function: Any) -> Any:
        return lambda *args, **kwargs: self.pack(function, args, kwargs)

    def _len(self, held: Any) -> Any:
        return held.size(0) if isinstance(held, torch.Tensor) and id(held) in self.known else len(held)

    def _compared(self, name: str, one: Any, other: Any, result: bool) -> None:
        if id(sys._getframe(2).f_globals) in self._namespaces:
            self.comparisons.append((self.line(), name, one, other, result))

    def _at_return(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and id(frame.f_globals) in self._namespaces:
            self.name_from(frame.f_locals)


@contextmanager
def _unwatched() -> Iterator[None]:
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


def dtype_of(tensor: torch.Tensor) -> str:
    """Return the name of a tensor's dtype."""
    return str(tensor.dtype).removeprefix("torch.")


def _held(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield what a module holds: parameters, buffers, and attributes that are tensors."""
    yield from module.named_parameters()
    yield from module.named_buffers()
    for path, each in module.named_modules():
        for name, held in vars(each).items():
            if isinstance(held, torch.Tensor):
                yield f"{path}.{name}".lstrip("."), held


def _mapped(structure: Any, by: Callable[[Any], Any]) -> Any:
    """As `mapped`, with packed sequences, which are tuples, as leaves."""
    if isinstance(structure, rnn.PackedSequence):
        return by(structure)
    if isinstance(structure, dict):
        return {name: _mapped(each, by) for name, each in structure.items()}
    if isinstance(structure, (list, tuple)):
        made = [_mapped(each, by) for each in items_of(structure)]
        return made if isinstance(structure, list) else tuple(made)
    return mapped(structure, by)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, (torch.Tensor, rnn.PackedSequence))


def _in_place(name: str, kwargs: Mapping[str, Any]) -> bool:
    return name == "__setitem__" or kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__"))


def _axis(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int]:
    return (int(kwargs.get("dim", args[1] if len(args) > 1 else 0)),)


def _is_method(name: str, function: Any) -> bool:
    return (
        inspect.isfunction(function)
        and name != "forward"
        and not (name.startswith("__") and name.endswith("__"))
        and not inspect.isgeneratorfunction(function)
    )


_DRAWING = (
    "rand",
    "normal",
    "bernoulli",
    "multinomial",
    "poisson",
    "exponential_",
    "uniform_",
    "random_",
    "cauchy_",
    "geometric_",
)
