"""Training on given gradients, without a model, so that only the update rules are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from compare.report.arrays import Array, distance

STEPS, EVERY = 200, 20
"""The number of steps, and the interval at which the parameters are kept."""
_SHAPES = {"kernel": (5, 3), "bias": (3,)}
_RNG = np.random.default_rng(0)
START: list[Array] = [_RNG.normal(0, 1, shape) for shape in _SHAPES.values()]
GRADIENTS: list[Array] = [_RNG.normal(0.3, 1, (STEPS, *shape)) for shape in _SHAPES.values()]
"""(step, *shape). Their mean is not zero, which keeps the parameters moving: near a minimum some rules amplify rounding."""

Path = list[list[Array]]
"""The parameters after every `EVERY` steps, up to the last step."""


def keras_variables(values: Sequence[Array] = START, dtype: str = "float64") -> list[Any]:
    """Make Keras variables, named as in a Dense layer."""
    import keras

    return [keras.Variable(value, dtype=dtype, name=name) for name, value in zip(_SHAPES, values, strict=False)]


def torch_parameters(values: Sequence[Array] = START, dtype: str = "float64") -> list[Any]:
    """Make torch parameters."""
    import torch

    return [torch.nn.Parameter(torch.tensor(value, dtype=getattr(torch, dtype))) for value in values]


def train_keras(optimizer: Any, variables: list[Any], change: Callable[[int], None] | None = None, first: int = 0) -> Path:
    """Apply the gradients in Keras, from a step on.

    Args:
        optimizer: a Keras optimizer.
        variables: the variables to train.
        change: a function called before every `EVERY` steps with the number of the next step.
        first: the step to start from.
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
    """Make one step in Keras."""
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
    """Apply the gradients of some steps in torch.

    Args:
        optimizer: a torch optimizer.
        parameters: the parameters to train.
        step: a function called with the number of each step, after the gradients have been added like in `backward`; it
            makes the step and sets the gradients to zero. None makes the optimizer's step.
        gradients: the gradients of all steps, for each parameter.
        first: the step to start from.
        last: the step to stop before.
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


def apart(expected: Path, actual: Path) -> float:
    """Return the distance of the parameters at the end."""
    return distance(expected[-1], actual[-1])


def curve(expected: Path, actual: Path) -> list[float]:
    """Return the distances of the parameters along the way."""
    return [distance(one, other) for one, other in zip(expected, actual, strict=True)]


def _stepping(optimizer: Any, variables: list[Any]) -> Callable[[int, int], None]:
    def advance(first: int, last: int) -> None:
        for step in range(first, last):
            apply_in_keras(optimizer, variables, [gradient[step] for gradient in GRADIENTS[: len(variables)]])

    return advance


def _compiled(optimizer: Any, variables: list[Any]) -> Callable[[int, int], None]:
    """Trace a loop once, since TensorFlow's eager steps would take ten times as long."""
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
    """Stop TensorFlow from rewriting graphs: turning a division by a constant into a product changes the last digit."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
