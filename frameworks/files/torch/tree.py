"""Finds the tensors in saved objects of torch: state dicts, bare or nested, whole modules, and TorchScript objects."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.files.other_layers import is_plain
from frameworks.files.torch.bookkeeping import NUMBER, OPTIMIZER, bookkeeping, is_optimizer, without_folder
from frameworks.files.torch.numpy import NumpyArray, numpy_array
from frameworks.files.torch.objects import Objects, Tensor
from frameworks.files.untrusted.source import unsupported
from frameworks.files.untrusted.unpickling import Record
from frameworks.kinds import PYTORCH

MAX_DEPTH = 64
MAX_OBJECTS = 2_000_000
MAX_NAME = 1000

WRAPPERS = frozenset(
    {
        "state_dict",
        "model",
        "model_state_dict",
        "model_state",
        "model_weights",
        "net",
        "net_state_dict",
        "network",
        "module",
        "params",
        "parameters",
        "weights",
    }
)
"""Keys under which a state dict is often saved. They are not a part of its names."""

_PARALLEL = "module."
"""The prefix that DataParallel adds to all names."""

_INSERTED = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and activation checkpointing insert into names."""

_LISTED_AGAIN = "_flat_weights"
"""The attribute in which a recurrent module lists its parameters a second time."""

Code = Callable[[str], Mapping[str, Any]]

_ATTRIBUTES = ("batch_first", "dropout", "nonlinearity", "mode", "proj_size")
"""Attributes of a recurrent module that its weights do not determine."""

_OTHER_ATTRIBUTES = tuple(dict.fromkeys(option.name for kind in PYTORCH for option in kind.stored_options))
"""Such attributes of other modules, for which None is a value."""

_TORCH_CLASS = re.compile(r"(?:__torch__\.)?torch\.(?:nn\.(?:modules|parallel)|_dynamo)\..*")
"""The full name of a class of torch.nn, or of what torch puts around a model."""


@dataclass
class Named:
    """Tensors and attributes by name.

    Args:
        tensors: the tensors by their names in a state dict.
        attributes: by module name, attributes of modules that were saved whole. `class` is the class name, and `torch` is
            True for a class of torch.nn.
        unread: descriptions of what could not be read as a tensor, by name.
        beside: descriptions of what a training script saved beside the model, by name.
        groups: the number of the dictionary or module that holds a tensor, by the tensor's name.
    """

    tensors: dict[str, Tensor | NumpyArray] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def put(self, name: str, tensor: Tensor | NumpyArray) -> None:
        """Add a tensor."""
        if isinstance(tensor, Tensor) and tensor.repeats:
            self.unread[name] = "a tensor that repeats its elements, as .expand makes it: call .clone() before saving"
        else:
            self.tensors[name] = tensor

    def renamed(self, rename: Callable[[str], str]) -> Named:
        """Return a copy with other names."""
        return Named(*({rename(f"{name}.")[:-1]: value for name, value in part.items()} for part in self._parts()))

    def under(self, prefix: str) -> Named:
        """Return a copy with a prefix before each name."""
        whole = prefix.removesuffix(".")
        return Named(*({f"{prefix}{name}" if name else whole: value for name, value in part.items()} for part in self._parts()))

    def add(self, other: Named) -> None:
        """Add everything in another record."""
        for own, others in zip(self._parts(), other._parts(), strict=True):
            own.update(others)

    def _parts(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return self.tensors, self.attributes, self.unread


def find_tensors(root: Objects, file: str, code: Code = lambda name: {}) -> Named:  # noqa: ARG005  no class has code
    """Find all tensors of a pickled object, by the names that they would have in a state dict.

    Usual keys around a state dict are left out of the names, unless two tensors would get the same name.

    Args:
        root: the object.
        file: what messages call the file.
        code: returns what the code of a TorchScript class states of its attributes.

    Raises:
        GatewiseError: for objects that are nested too deep, or too many of them.
    """
    walk = _Walk(file, code)
    groups = [(path, _shorten(named)) for path, named in walk.groups(root, ())]
    for keep in (lambda key: key not in WRAPPERS, lambda key: True):  # noqa: ARG005  all of them
        named = _join(groups, keep)
        if named is not None:
            named.beside = walk.beside
            return named
    raise unsupported(file, "has two tensors that would have the same name in a state dict")


def _join(groups: list[tuple[tuple[str, ...], Named]], keep: Callable[[str], bool]) -> Named | None:
    """Join groups; return None if two tensors would get the same name."""
    joined = Named()
    for number, (path, named) in enumerate(groups):
        longer = named.under("".join(f"{key}." for key in path if keep(key)))
        if not joined.tensors.keys().isdisjoint(longer.tensors):
            return None
        joined.add(longer)
        joined.groups |= dict.fromkeys(longer.tensors, number)
    return joined


def _shorten(named: Named) -> Named:
    shorter = named.renamed(lambda name: _INSERTED.sub("", name))
    if len(shorter.tensors) == len(named.tensors):
        named = shorter
    while named.tensors and all(name.startswith(_PARALLEL) for name in named.tensors):
        named = named.renamed(lambda name: name.removeprefix(_PARALLEL))
    return named


class _Walk:
    """One walk through a pickled object, which ends even if the object contains itself."""

    def __init__(self, file: str, code: Code) -> None:
        self._file, self._code, self._count = file, code, 0
        self._met: set[int] = set()
        self.beside: dict[str, str] = {}

    def groups(self, value: Objects, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Named]]:
        """Yield groups of tensors, one per dictionary or module, each with the path of keys to it."""
        named = Named()
        if _is_module(value):
            self._module(value, "", named, len(path))
            yield path, named
            return
        if is_optimizer(_inside(value)):
            self.beside[".".join(path)] = OPTIMIZER
            return
        if isinstance(value, Record):
            if id(value) in self._met:  # an object may refer to the one that holds it
                return
            self._met.add(id(value))
            named.unread |= {} if _inside(value) else {"": value.name}
        inner = self._sort(list(self._items(value, len(path))), path, named)
        if named.tensors or named.unread:
            yield path, named
        for key, item in inner.items():
            what, within = bookkeeping(key), self.groups(item, (*path, key))
            if not what or is_optimizer(_inside(item)):
                yield from within
                continue
            outside, self.beside = self.beside, {}
            if any([group.tensors for _, group in within] + [self.beside]):
                outside[".".join((*path, key))] = what
            self.beside = outside

    def _sort(self, items: list[tuple[str, Objects]], path: tuple[str, ...], named: Named) -> dict[str, Objects]:
        """Name the tensors of a dictionary, and return what has contents of its own."""
        inner: dict[str, Objects] = {}
        only_tensors = all(isinstance(item, (Tensor, NumpyArray)) for _, item in items)  # as in a state dict
        for key, item in items:
            short = without_folder(key)
            if isinstance(item, (Tensor, NumpyArray)):
                is_number = not item.shape and (short != key or not (only_tensors or "." in key))
                what = NUMBER if is_number else "" if only_tensors else bookkeeping(key)
                if what:
                    self.beside[".".join((*path, short))] = what
                else:
                    named.put(key, item)
            elif _inside(item):
                inner[short if short not in inner else f"{short} ({len(inner)})"] = item
            elif isinstance(item, Record):
                named.unread[short] = item.name
        return inner

    def _module(self, module: Record, prefix: str, named: Named, depth: int) -> None:
        """Collect the tensors of a module that was saved whole, or of a TorchScript object."""
        state = module.state
        if ".quantized." in module.name:
            kind = module.name.rpartition(".")[2]
            named.unread[prefix.removesuffix(".")] = f"a quantised {kind}: save it before it is quantised"
            return
        whole = isinstance(state.get("_parameters"), Mapping)
        parts = [state.get(part) for part in ("_parameters", "_buffers", "_modules")] if whole else [state]
        named.attributes[prefix.removesuffix(".")] = {
            "class": module.name.rpartition(".")[2],
            "torch": _TORCH_CLASS.fullmatch(module.name) is not None,
            **{name: _hashable(state[name]) for name in (*_ATTRIBUTES, *_OTHER_ATTRIBUTES) if is_plain(state.get(name))},
            **{name: None for name in _OTHER_ATTRIBUTES if state.get(name, 0) is None},
            **self._code(module.name),
        }
        for part in parts:
            for key, item in self._items(part, depth):
                if isinstance(item, (Tensor, NumpyArray)):
                    named.put(f"{prefix}{key}", item)
                elif _is_module(item):
                    self._module(item, f"{prefix}{key}.", named, depth + 1)
                elif isinstance(item, (Mapping, list, tuple)) and key != _LISTED_AGAIN:
                    for number, one in self._items(item, depth):
                        if isinstance(one, (Tensor, NumpyArray)):
                            named.put(f"{prefix}{key}.{number}", one)
                elif isinstance(item, Record):
                    named.unread[f"{prefix}{key}"] = item.name

    def _items(self, value: Objects, depth: int) -> Iterator[tuple[str, Objects]]:
        """Yield the contents of an object, and count them, because the same list may occur many times."""
        inside = {"tensor": value} if isinstance(value, (Tensor, NumpyArray)) else _inside(value)
        items: Mapping[Any, Objects] = inside if isinstance(inside, Mapping) else dict(enumerate(inside))
        self._count += 1 + len(items)
        if depth > MAX_DEPTH or self._count > MAX_OBJECTS:
            raise unsupported(self._file, f"nests objects more than {MAX_DEPTH} deep, or holds more than {MAX_OBJECTS}")
        for key, item in items.items():
            array = numpy_array(item) if isinstance(item, Record) else None
            yield str(key)[:MAX_NAME], item if array is None else array


def _inside(value: Objects) -> Mapping[Any, Objects] | list[Objects] | tuple[Objects, ...]:
    """Return the contents of an object: for an unknown class, its attributes and items."""
    if isinstance(value, Record):
        states = value.state if isinstance(value.state, tuple) else (value.state,)
        attributes: Any = next((state for state in states if isinstance(state, Mapping) and state), {})
        return ChainMap(value.items, attributes) if value.items else attributes
    return value if isinstance(value, (Mapping, list, tuple)) else {}


def _is_module(value: Objects) -> bool:
    """Return whether an object is a module that was saved whole, or a TorchScript object."""
    state = value.state if isinstance(value, Record) else None
    return isinstance(state, Mapping) and (isinstance(state.get("_parameters"), Mapping) or value.name.startswith("__torch__."))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
