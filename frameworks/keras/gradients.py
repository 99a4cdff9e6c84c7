"""Differentiating what a Keras layer computes, with the automatic differentiation of Keras's backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import keras

from frameworks.errors import InvalidValueError
from frameworks.keras.tensors import tensor_of

Run = Callable[..., Sequence[Any]]


def pull_back(
    run: Run, tensors: Sequence[Any], variables: Sequence[Any], cotangents: Sequence[Any], *, backend: str
) -> Sequence[Any]:
    """Return the gradients of sum(result * cotangent) over the results of `run(*tensors)`.

    Frozen variables are differentiated too.

    Args:
        run: computes the results from its arguments and the variables.
        tensors: the arguments of `run`, tensors of the backend.
        variables: the variables of Keras or tf_keras that `run` uses.
        cotangents: tensors of the backend, one per result and shaped like it.
        backend: "tensorflow", "torch" or "jax".

    Returns:
        The gradients with respect to each tensor, then to each variable; zeros if no result depends on it.

    Raises:
        GatewiseError: for a backend without automatic differentiation.
    """
    if backend not in _BACKENDS:
        raise InvalidValueError.because(
            "Keras's backend",
            must=f"be one of {', '.join(_BACKENDS)} to compute gradients",
            but=f"is {backend!r}",
            remedy="Choose it with KERAS_BACKEND before Keras is first imported.",
        )
    return _BACKENDS[backend](run, tensors, variables, cotangents)


def _pull_back_tensorflow(run: Run, tensors: Sequence[Any], variables: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    tensorflow = import_module("tensorflow")
    sources = [*tensors, *map(tensor_of, variables)]
    with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(sources)
        results = run(*tensors)
    gradients: list[Any] = tape.gradient(results, sources, list(cotangents), tensorflow.UnconnectedGradients.ZERO)
    return gradients


def _pull_back_torch(run: Run, tensors: Sequence[Any], variables: Sequence[Any], cotangents: Sequence[Any]) -> Sequence[Any]:
    module = import_module("frameworks.pytorch.gradients")
    gradients: Sequence[Any] = module.pull_back(run, tensors, list(map(tensor_of, variables)), cotangents)
    return gradients


def _pull_back_jax(run: Run, tensors: Sequence[Any], variables: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    def compute(given: list[Any], values: list[Any]) -> list[Any]:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return list(run(*given))

    _, pull = import_module("jax").vjp(compute, list(tensors), list(map(tensor_of, variables)))
    from_tensors, from_variables = pull(list(cotangents))
    return [*from_tensors, *from_variables]


_BACKENDS: Mapping[str, Callable[..., Sequence[Any]]] = MappingProxyType(
    {"tensorflow": _pull_back_tensorflow, "torch": _pull_back_torch, "jax": _pull_back_jax}
)
