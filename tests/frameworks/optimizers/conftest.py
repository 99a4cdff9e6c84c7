"""A stream of gradients for both frameworks, without a forward pass, so that only the update rules are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]
SHAPES = {"kernel": (5, 3), "bias": (3,), "embeddings": (4, 2)}
STEPS = 200


@dataclass(frozen=True)
class Stream:
    """Initial values and gradients in the shapes of Keras's variables; gradients have a mean, so that training keeps moving."""

    start: list[Array]
    gradients: list[Array]

    def variables(self, dtype: str = "float64") -> list[Any]:
        import keras

        return [keras.Variable(value, dtype=dtype, name=name) for name, value in zip(SHAPES, self.start, strict=True)]

    def parameters(self) -> list[Any]:
        """Return the parameters, with the kernel transposed as in nn.Linear."""
        import torch

        return [torch.nn.Parameter(torch.tensor(value)) for value in map(as_torch, self.start)]

    def train_keras(self, optimizer: Any, variables: list[Any], first: int = 0, last: int = STEPS) -> list[Array]:
        """Apply the gradients from step `first` up to `last`, and return the variables in torch's layout."""
        import keras

        if keras.config.backend() == "tensorflow":
            _train_in_a_graph(optimizer, variables, [gradient[first:last] for gradient in self.gradients])
        else:
            for step in range(first, last):
                given = [keras.ops.convert_to_tensor(gradient[step], dtype="float64") for gradient in self.gradients]
                optimizer.apply(given, variables)
        return [as_torch(keras.ops.convert_to_numpy(variable)) for variable in variables]

    def train_torch(self, optimizer: Any, parameters: list[Any], first: int = 0, last: int = STEPS) -> list[Array]:
        import torch

        for step in range(first, last):
            for parameter, gradient in zip(parameters, self.gradients, strict=True):
                parameter.grad = torch.tensor(as_torch(gradient[step]))
            optimizer.step()
        return [parameter.detach().numpy().copy() for parameter in parameters]


def _train_in_a_graph(optimizer: Any, variables: list[Any], gradients: list[Array]) -> None:
    import tensorflow as tf

    optimizer.build(variables)

    def body(step: Any) -> Any:
        optimizer.apply([gradient[step] for gradient in constants], variables)
        return step + 1

    constants = [tf.constant(gradient) for gradient in gradients]
    run = tf.function(lambda: tf.while_loop(lambda step: step < len(gradients[0]), body, [0]), autograph=False)
    # Optimised graphs round differently: a division by a constant becomes a product, which changes a schedule's last place.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        run()
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def as_torch(value: Array) -> Array:
    """Transpose an array of the kernel's shape."""
    return np.ascontiguousarray(value.T) if value.shape == SHAPES["kernel"] else value


@pytest.fixture(scope="session")
def stream() -> Stream:
    rng = np.random.default_rng(0)
    start = [rng.normal(0, 1, shape) for shape in SHAPES.values()]
    return Stream(start, [rng.normal(0.3, 1, (STEPS, *shape)) for shape in SHAPES.values()])


@pytest.fixture(scope="session")
def distance() -> Callable[[list[Array], list[Array]], float]:
    def measure(expected: list[Array], actual: list[Array]) -> float:
        return max(float(np.abs(one - other).max()) for one, other in zip(expected, actual, strict=True))

    return measure
