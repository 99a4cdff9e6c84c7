"""What stands in a record for each tensor: a value, a parameter or a constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import rnn

from frameworks.models.tracing.refusing import modified
from frameworks.models.tracing.steps import Constant, Line, Parameter, Value, items_of, mapped


class Tensors:
    """The tensors of a call.

    Args:
        module: the module whose parameters, buffers and other tensors are parameters of the record.
        line: returns the line that is running.
    """

    def __init__(self, module: nn.Module, line: Callable[[], Line]) -> None:
        """Enter what the module holds."""
        self.known: dict[int, Value] = {}
        self.count = 0
        self.parameters = {id(each): Parameter(path, tuple(each.shape), dtype_of(each)) for path, each in held(module)}
        self._line = line
        self._kept: list[Any] = []  # or another tensor might get an identity that is known
        self._stale: dict[int, str] = {}

    def value_for(self, tensor: Any, name: str = "") -> Value:
        """Return a new value that stands for a tensor from now on."""
        packed = isinstance(tensor, rnn.PackedSequence)
        data = tensor.data if packed else tensor
        value = Value(self.count, tuple(int(size) for size in data.shape), dtype_of(data), name, packed)
        self.count += 1
        self.known[id(tensor)] = value
        self._kept.append(tensor)
        return value

    def recorded(self, structure: Any) -> Any:
        """Return a structure with what stands for each of its tensors."""
        return each_mapped(structure, self._leaf)

    def made(self, structure: Any) -> Any:
        """Return a structure with a new value for each of its tensors."""
        return each_mapped(structure, lambda leaf: self.value_for(leaf) if is_tensor(leaf) else leaf)

    def _leaf(self, leaf: Any) -> Any:
        if is_tensor(leaf) and id(leaf) in self.known:
            if id(leaf) in self._stale:
                raise modified(self._stale[id(leaf)], self._line())
            return self.known[id(leaf)]
        if isinstance(leaf, torch.Tensor):
            if id(leaf) in self.parameters:
                return self.parameters[id(leaf)]
            self._kept.append(leaf)
            return Constant(leaf.detach().cpu().numpy())
        if isinstance(leaf, torch.dtype):
            return str(leaf).removeprefix("torch.")
        return leaf

    def spoil(self, target: torch.Tensor, line: Line) -> None:
        """Remember the tensors that share memory with one that is modified: what they hold is not known any more."""
        place = target.untyped_storage().data_ptr()
        for each in self._kept:
            shares = isinstance(each, torch.Tensor) and each.untyped_storage().data_ptr() == place
            if shares and each is not target and id(each) in self.known:
                self._stale[id(each)] = str(line)


def held(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield what a module holds: parameters, buffers, and tensors in attributes, as in "cell.hidden[0]"."""
    yield from module.named_parameters()
    yield from module.named_buffers()
    for path, each in module.named_modules():
        for name, attribute in vars(each).items():
            if not name.startswith("_") or isinstance(attribute, torch.Tensor):
                yield from _in_attribute(f"{path}.{name}".lstrip("."), attribute)


def _in_attribute(path: str, attribute: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(attribute, torch.Tensor):
        yield path, attribute
    elif isinstance(attribute, (list, tuple)):
        for at, each in enumerate(attribute):
            yield from _in_attribute(f"{path}[{at}]", each)


def dtype_of(tensor: torch.Tensor) -> str:
    """Return the name of a tensor's dtype."""
    return str(tensor.dtype).removeprefix("torch.")


def is_tensor(leaf: Any) -> bool:
    """Return whether something is a tensor or a packed sequence."""
    return isinstance(leaf, (torch.Tensor, rnn.PackedSequence))


def each_mapped(structure: Any, by: Callable[[Any], Any]) -> Any:
    """As `mapped`, with packed sequences, which are tuples, as leaves."""
    if isinstance(structure, rnn.PackedSequence):
        return by(structure)
    if isinstance(structure, dict):
        return {name: each_mapped(each, by) for name, each in structure.items()}
    if isinstance(structure, (list, tuple)):
        made = [each_mapped(each, by) for each in items_of(structure)]
        return made if isinstance(structure, list) else tuple(made)
    return mapped(structure, by)
