"""Leaving the objects of the user as they were: their tensors, attributes and modes, and the global random states."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np

from frameworks.rows import owner_of

Undo = Callable[[], None]


@contextmanager
def as_before(roots: Iterable[Any], *, randomness: bool = True) -> Iterator[None]:
    """Restore afterwards what a call may change, also after an error or an interrupt.

    Args:
        roots: torch modules, Keras layers and functions.
        randomness: whether the global random states are restored too.
    """
    with ExitStack() as stack:
        every = list(roots)
        stack.enter_context(without_a_trace(every))
        snapshot = _Snapshot()
        for root in every:
            for undo in snapshot.of(root):
                stack.callback(undo)
        if randomness:
            for undo in _random_states():
                stack.callback(undo)
        yield


def _random_states() -> Iterator[Undo]:
    kept = random.getstate()
    yield lambda: random.setstate(kept)
    numpys = np.random.get_state()  # noqa: NPY002  the user's global state, which is not drawn from
    yield lambda: np.random.set_state(numpys)  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        own = torch.get_rng_state()
        yield lambda: torch.set_rng_state(own)
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            every = torch.cuda.get_rng_state_all()
            yield lambda: torch.cuda.set_rng_state_all(every)
    keras = sys.modules.get("keras")
    if keras is not None:
        seeds = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
        if seeds is not None:
            yield from _assigning(seeds.state)


class _Snapshot:
    """What undoes the changes of a call to the objects that a port reaches, each looked at once."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def of(self, value: Any) -> Iterator[Undo]:
        """Yield what undoes changes to an object, and to what it holds."""
        if id(value) in self._seen or isinstance(value, _PLAIN) or inspect.ismodule(value):
            return
        self._seen[id(value)] = value
        if isinstance(value, np.ndarray):
            if value.flags.writeable:
                yield partial(value.__setitem__, ..., value.copy())
        elif isinstance(value, np.random.Generator):
            yield partial(setattr, value.bit_generator, "state", value.bit_generator.state)
        elif hasattr(value, "data_ptr"):
            yield from _tensor(value)
        elif isinstance(value, (list, tuple, dict)):
            yield from self._items(value)
        elif inspect.isfunction(value):
            yield from () if _is_foreign(value) else self._function(value)
        elif inspect.ismethod(value):
            yield from self._each((value.__self__, value.__func__))
        elif hasattr(value, "__dict__"):
            yield from self._object(value)

    def _each(self, values: Iterable[Any]) -> Iterator[Undo]:
        for value in values:
            yield from self.of(value)

    def _items(self, value: Any) -> Iterator[Undo]:
        if type(value) is list:
            yield partial(value.__setitem__, slice(None), list(value))
        elif type(value) is dict:
            pairs = dict(value)
            yield from (partial(value.update, pairs), value.clear)
        yield from self._each(list(value.values()) if isinstance(value, dict) else list(value))

    def _object(self, value: Any) -> Iterator[Undo]:
        owner = owner_of(value)
        if owner is not None and hasattr(value, "variables") and hasattr(value, "get_weights"):
            for variable in (*value.variables, *stored_states(value)):
                if id(variable) not in self._seen:
                    self._seen[id(variable)] = variable
                    yield from _assigning(variable)
            own = {name: each for name, each in vars(value).items() if owner_of(each) is None and not _is_foreign(each)}
            yield from (partial(vars(value).__setitem__, name, each) for name, each in own.items())
            yield from self._each(own.values())
        elif owner is not None or not _is_foreign(value):
            yield from _attributes(value)
            # What a user's hook keeps, such as a profiler's list, is not the model's.
            yield from self._each([each for name, each in vars(value).items() if not name.endswith("_hooks")])

    def _function(self, function: Any) -> Iterator[Undo]:
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # the variable has no value yet
                yield partial(setattr, cell, "cell_contents", cell.cell_contents)
                yield from self.of(cell.cell_contents)
        names = function.__globals__
        for name in function.__code__.co_names:
            if name in names and not inspect.ismodule(names[name]):
                yield partial(names.__setitem__, name, names[name])
                yield from self.of(names[name])


_VERSION = "_version"
_PRESERVING = "_unsafe_preserve_version_counter"
_PLAIN = (str, bytes, int, float, complex, type, type(None))
_FRAMEWORKS = frozenset({"torch", "keras", "tf_keras", "tensorflow", "jax", "numpy"})
_FOREIGN = _FRAMEWORKS | {"builtins", "functools", "collections", "threading", "compare", "frameworks"}


def _is_foreign(value: Any) -> bool:
    """Return whether a function or an object is one of a library's own, which is not looked into."""
    owner = value if inspect.isfunction(value) else type(value)
    return str(owner.__module__).partition(".")[0] in _FOREIGN


def _attributes(owner: Any) -> Iterator[Undo]:
    kept = dict(vars(owner))

    def undo() -> None:
        held = vars(owner)
        for name in set(held) - set(kept):
            del held[name]
        held.update(kept)

    yield undo


def _tensor(tensor: Any) -> Iterator[Undo]:
    if tensor.is_inference():
        return
    kept, version, trained = tensor.detach().clone(), getattr(tensor, _VERSION), tensor.requires_grad
    is_dense = not (tensor.is_meta or tensor.is_sparse)

    def undo() -> None:
        if tensor.shape != kept.shape:
            tensor.data = kept
        elif getattr(tensor, _VERSION) != version or (is_dense and not tensor.equal(kept)):  # `.data` has no version
            tensor.data.copy_(kept)
        if tensor.requires_grad != trained:
            tensor.requires_grad_(trained)

    yield undo


@contextmanager
def without_a_trace(natives: Iterable[Any]) -> Iterator[None]:
    """Let autograd forget that parameters of torch modules are written and put back, so that an older graph stays valid."""
    modules = [each for each in natives if hasattr(each, "parameters") and hasattr(each, "state_dict")]
    with ExitStack() as stack:
        for parameter in [each for module in modules for each in module.parameters()]:
            autograd = sys.modules["torch"].autograd
            stack.enter_context(getattr(autograd, _PRESERVING)(parameter))
        yield


def _assigning(variable: Any) -> Iterator[Undo]:
    def value() -> Any:
        return np.array(variable.detach().cpu() if hasattr(variable, "detach") else variable)

    kept = value()

    def undo() -> None:
        if value().tobytes() != kept.tobytes():
            variable.assign(kept)

    yield undo


def stored_states(layer: Any) -> Iterator[Any]:
    """Yield the states that stateful Keras layers keep, which Keras does not list among the variables."""
    parts = layer._flatten_layers() if hasattr(layer, "_flatten_layers") else layer.submodules  # noqa: SLF001  no public walk
    for each in (layer, *parts):
        if getattr(each, "stateful", False):
            yield from _variables_in(getattr(each, "states", None))


def _variables_in(nested: Any) -> Iterator[Any]:
    if hasattr(nested, "assign"):
        yield nested
    elif isinstance(nested, (list, tuple)):
        for each in nested:
            yield from _variables_in(each)
