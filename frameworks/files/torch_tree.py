"""Finding the tensors in what torch saved: bare or nested state dicts, whole modules, the objects of a TorchScript archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.files.source import damaged
from frameworks.files.torch_objects import Objects, Tensor
from frameworks.files.unpickling import Record

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
"""Keys under which people save a model's state dict: they are no part of its names."""

_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before all names."""

_ONCE_MORE = "_flat_weights"
"""Where a recurrent module lists its parameters again."""

_SAID = ("batch_first", "dropout", "nonlinearity", "mode", "proj_size")
"""Attributes of a recurrent module that its weights do not show."""


@dataclass
class Named:
    """What was found, by name.

    Args:
        tensors: by the name that a state dict has for them.
        said: attributes of modules that were saved whole, by the name of the module.
        unread: what stands where a tensor might, by name, and what it is.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def under(self, prefix: str) -> Named:
        """Give the same with longer names."""
        return Named(*({f"{prefix}{name}": value for name, value in part.items()} for part in self._parts()))

    def without(self, prefix: str) -> Named:
        """Give the same with shorter names."""
        return Named(*({name.removeprefix(prefix): value for name, value in part.items()} for part in self._parts()))

    def add(self, other: Named) -> None:
        """Take over what the other has."""
        for own, others in zip(self._parts(), other._parts(), strict=True):
            own.update(others)

    def _parts(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return self.tensors, self.said, self.unread


def find_tensors(root: Objects, file: str) -> Named:
    """Find all tensors of a pickled object, by the names that a state dict would have for them.

    State dicts that lie in one file lose the usual keys above them, unless two of them would have the same names then.

    Raises:
        GatewiseError: for objects without end.
    """
    walk = _Walk(file)
    groups = [(path, _shorten(named)) for path, named in walk.groups(root, ())]
    for keep in (lambda key: key not in WRAPPERS, lambda key: True):  # noqa: ARG005  all of them
        found = _join(groups, keep)
        if found is not None:
            found.unread |= walk.optimizers
            return found
    raise damaged(file, "has two tensors of one name")


def _join(groups: list[tuple[tuple[str, ...], Named]], keep: Callable[[str], bool]) -> Named | None:
    """Put groups together; None where two would give the same name."""
    found = Named()
    for path, named in groups:
        longer = named.under("".join(f"{key}." for key in path if keep(key)))
        if not found.tensors.keys().isdisjoint(longer.tensors):
            return None
        found.add(longer)
    return found


def _shorten(named: Named) -> Named:
    for prefix in _PREFIXES:
        if named.tensors and all(name.startswith(prefix) for name in named.tensors):
            named = named.without(prefix)
    return named


class _Walk:
    """One walk through a pickled object, which ends however the object is knotted."""

    def __init__(self, file: str) -> None:
        self._file, self._count = file, 0
        self.optimizers: dict[str, str] = {}

    def groups(self, value: Objects, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Named]]:
        """Yield what belongs together, a dictionary's own tensors or all of a module's, and the keys that lead there."""
        named = Named()
        if _is_module(value):
            self._module(value, "", named, len(path))
            yield path, named
            return
        if isinstance(value, Record) and not value.items:
            named.unread[""] = value.name
        inner: dict[str, Objects] = {}
        for key, item in self._items(value, len(path)):
            if isinstance(item, Tensor):
                named.tensors[key] = item
            elif _is_optimizer(item):
                self.optimizers[".".join((*path, key))] = "the state of an optimizer"
            elif isinstance(item, (Mapping, list, tuple)) or _is_module(item) or (isinstance(item, Record) and item.items):
                inner[key] = item
            elif isinstance(item, Record):
                named.unread[key] = item.name
        yield path, named
        for key, item in inner.items():
            yield from self.groups(item, (*path, key))

    def _module(self, module: Record, prefix: str, named: Named, depth: int) -> None:
        """Collect the tensors of a module that was saved whole, or of an object of TorchScript."""
        state = module.state
        whole = isinstance(state.get("_parameters"), Mapping)
        parts = [state.get(part) for part in ("_parameters", "_buffers", "_modules")] if whole else [state]
        named.said[prefix.removesuffix(".")] = {
            "class": module.name.rpartition(".")[2],
            **{name: state[name] for name in _SAID if isinstance(state.get(name), (bool, int, float, str))},
        }
        for part in parts:
            for key, item in self._items(part, depth):
                if isinstance(item, Tensor):
                    named.tensors[f"{prefix}{key}"] = item
                elif _is_module(item):
                    self._module(item, f"{prefix}{key}.", named, depth + 1)
                elif isinstance(item, (list, tuple)) and key != _ONCE_MORE:
                    tensors = ((number, one) for number, one in self._items(item, depth) if isinstance(one, Tensor))
                    named.tensors.update({f"{prefix}{key}.{number}": one for number, one in tensors})
                elif isinstance(item, Record):
                    named.unread[f"{prefix}{key}"] = item.name

    def _items(self, value: Objects, depth: int) -> Iterator[tuple[str, Objects]]:
        """Give what lies in an object, counted: the same list may be met as often as it likes."""
        items: Mapping[Any, Objects] = {"tensor": value} if isinstance(value, Tensor) else {}
        if isinstance(value, (Record, Mapping)):
            items = value.items if isinstance(value, Record) else value
        elif isinstance(value, (list, tuple)):
            items = dict(enumerate(value))
        self._count += 1 + len(items)
        if depth > MAX_DEPTH or self._count > MAX_OBJECTS:
            raise damaged(self._file, f"nests more than {MAX_DEPTH} deep, or {MAX_OBJECTS} objects")
        for key, item in items.items():
            yield str(key)[:MAX_NAME], item


def _is_module(value: Objects) -> bool:
    return isinstance(value, Record) and isinstance(value.state, Mapping)


def _is_optimizer(value: Objects) -> bool:
    return isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()
