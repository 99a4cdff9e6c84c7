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

Undo = Callable[[], None]


@contextmanager
def as_before(roots: Iterable[Any], *, randomness: bool = True) -> Iterator[None]:
    """Restore afterwards what a call may change, also after an error or an interrupt.

    Args:
        roots: torch modules, Keras layers and functions.
        randomness: whether the global random states are restored too.
    """
    with ExitStack() as stack:
        for root in roots:
            for undo in _undoing(root):
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


def _undoing(root: Any) -> Iterator[Undo]:
    if hasattr(root, "modules") and hasattr(root, "state_dict"):
        for module in root.modules():
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                yield _tensor(tensor)
            yield _attributes(module)
    elif hasattr(root, "variables") and hasattr(root, "get_weights"):
        for variable in (*root.variables, *_stored_states(root)):
            yield from _assigning(variable)
    elif inspect.isfunction(root) or inspect.ismethod(root):
        yield from _of_function(inspect.unwrap(root))
    elif hasattr(root, "__dict__") and not isinstance(root, type):
        yield _attributes(root)


def _attributes(owner: Any) -> Undo:
    """Return what undoes new values of attributes, and changes within their values."""
    kept = [(name, value, _content(value)) for name, value in vars(owner).items()]

    def undo() -> None:
        held = vars(owner)
        for name in set(held) - {name for name, *_ in kept}:
            del held[name]
        for name, value, restore in kept:
            restore()
            held[name] = value

    return undo


def _content(value: Any) -> Undo:
    """Return what undoes changes within a list, a dict, an array or a tensor."""
    if type(value) is list:
        items = list(value)
        return partial(value.__setitem__, slice(None), items)
    if type(value) is dict:
        pairs = dict(value)
        return lambda: (value.clear(), value.update(pairs))  # type: ignore[func-returns-value]
    if isinstance(value, np.ndarray) and value.flags.writeable:
        return partial(value.__setitem__, ..., value.copy())
    if hasattr(value, "data_ptr"):
        return _tensor(value)
    return _nothing


def _nothing() -> None:
    """Undo nothing."""


def _tensor(tensor: Any) -> Undo:
    if tensor.is_inference():
        return _nothing
    kept, version, trained = tensor.detach().clone(), tensor._version, tensor.requires_grad

    def undo() -> None:
        if tensor._version != version:
            tensor.detach().copy_(kept)
        if tensor.requires_grad != trained:
            tensor.requires_grad_(trained)

    return undo


def _assigning(variable: Any) -> Iterator[Undo]:
    kept = np.array(variable.detach().cpu() if hasattr(variable, "detach") else variable)
    yield lambda: variable.assign(kept)


def _stored_states(layer: Any) -> Iterator[Any]:
    """Yield the states that stateful Keras layers keep."""
    for each in (layer, *getattr(layer, "_flatten_layers", tuple)()):
        states = getattr(each, "states", None)
        yield from (state for state in (states if isinstance(states, (list, tuple)) else ()) if hasattr(state, "assign"))


def _of_function(function: Any) -> Iterator[Undo]:
    """Undo new values of the variables that a function binds, and changes within them."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # the variable has no value yet
            yield _content(cell.cell_contents)
            yield partial(setattr, cell, "cell_contents", cell.cell_contents)
    names = function.__globals__
    for name in function.__code__.co_names:
        if name in names and not inspect.ismodule(names[name]):
            yield _content(names[name])
            yield partial(names.__setitem__, name, names[name])
