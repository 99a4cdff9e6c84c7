"""Training on gradients that are given, without a model: only the update rules are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from compare.report.arrays import Array, distance

STEPS, EVERY = 200, 20
"""How many steps are trained, and after how many of them the parameters are looked at."""
_SHAPES = {"kernel": (5, 3), "bias": (3,)}
_RNG = np.random.default_rng(0)
START: list[Array] = [_RNG.normal(0, 1, shape) for shape in _SHAPES.values()]
GRADIENTS: list[Array] = [_RNG.normal(0.3, 1, (STEPS, *shape)) for shape in _SHAPES.values()]
"""(step, *shape); their mean is not zero, so that training stays in motion: near a minimum some rules amplify one rounding."""

Path = list[list[Array]]
"""The parameters every `EVERY` steps, the last of them at the end."""


def keras_variables(values: Sequence[Array] = START, dtype: str = "float64") -> list[Any]:
    """Make variables, named as a Dense layer's."""
    import keras

    return [keras.Variable(value, dtype=dtype, name=name) for name, value in zip(_SHAPES, values, strict=False)]


def torch_parameters(values: Sequence[Array] = START, dtype: str = "float64") -> list[Any]:
    """Make parameters."""
    import torch

    return [torch.nn.Parameter(torch.tensor(value, dtype=getattr(torch, dtype))) for value in values]


def train_keras(optimizer: Any, variables: list[Any], change: Callable[[int], None] | None = None, first: int = 0) -> Path:
    """Apply the gradients from a step on.

    Args:
        optimizer: of Keras.
        variables: to train.
        change: is called before each stretch of steps, with the number of its first.
        first: step.
    """
    from keras import backend, ops

    optimizer.build(variables)
    advance = _compiled(optimizer, variables) if backend.backend() == "tensorflow" else _stepping(optimizer, variables)
    path: Path = []
    for start in range(first, STEPS, EVERY):
        if change is not None:
            change(start)
        advance(start, start + EVERY)
        path.append([ops.convert_to_numpy(variable).copy() for variable in variables])
    return path


def apply_in_keras(optimizer: Any, variables: list[Any], gradients: Sequence[Array]) -> None:
    """Make one step."""
    from keras import ops

    given = zip(gradients, variables, strict=True)
    optimizer.apply([ops.convert_to_tensor(gradient, dtype=variable.dtype) for gradient, variable in given], variables)


def train_torch(
    optimizer: Any,
    parameters: list[Any],
    step: Callable[[int], None] | None = None,
    gradients: Sequence[Array] = GRADIENTS,
    first: int = 0,
    last: int = STEPS,
) -> Path:
    """Apply the gradients of some steps.

    Args:
        optimizer: of torch.
        parameters: to train.
        step: makes a step, given its number, once the gradients have been added as `backward` adds them, and sets them to
            zero; the optimizer's own when None.
        gradients: one of each step, for each parameter.
        first: step.
        last: step, not made any more.
    """
    path: Path = []
    pairs = list(zip(parameters, torch_parameters(gradients), strict=False))
    for number in range(first, last):
        for parameter, gradient in pairs:
            added = gradient.data[number].to(parameter.dtype, copy=True)
            parameter.grad = added if parameter.grad is None else parameter.grad + added
        if step is None:
            optimizer.step()
            optimizer.zero_grad()
        else:
            step(number)
        if (number + 1) % EVERY == 0:
            path.append([parameter.detach().numpy().copy() for parameter in parameters])
    return path


def apart(expected: Path, found: Path) -> float:
    """Return the distance of the parameters at the end."""
    return distance(expected[-1], found[-1])


def curve(expected: Path, found: Path) -> list[float]:
    """Return the distance along the way."""
    return [distance(one, other) for one, other in zip(expected, found, strict=True)]


def _stepping(optimizer: Any, variables: list[Any]) -> Callable[[int, int], None]:
    def advance(first: int, last: int) -> None:
        for step in range(first, last):
            apply_in_keras(optimizer, variables, [gradient[step] for gradient in GRADIENTS[: len(variables)]])

    return advance


def _compiled(optimizer: Any, variables: list[Any]) -> Callable[[int, int], None]:
    """Trace a loop once: TensorFlow's eager steps would take ten times as long."""
    import tensorflow as tf

    constants = [tf.constant(gradient, variable.dtype) for gradient, variable in zip(GRADIENTS, variables, strict=False)]

    def body(step: Any) -> Any:
        optimizer.apply([gradient[step] for gradient in constants], variables)
        return step + 1

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(first: Any, last: Any) -> Any:
        return tf.while_loop(lambda step: step < last, body, [first])

    def advance(first: int, last: int) -> None:
        with _as_written(tf):
            run(tf.constant(first), tf.constant(last))

    return advance


@contextmanager
def _as_written(tf: Any) -> Iterator[None]:
    """Keep TensorFlow from rewriting graphs: a division by a constant would become a product, which moves the last place."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
