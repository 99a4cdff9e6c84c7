"""Drawn models of Keras 3 and tf_keras, with weights, and inputs with holes in their masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.acceptance.ported.steps import STATEFUL, STEPS, Pen, Tensor, shape

Array = npt.NDArray[Any]

_WORDS, _MASKED = 11, -1.0
_MOST = 4000


@dataclass(frozen=True)
class Drawn:
    """A drawn model.

    Args:
        model: the model, of keras or tf_keras.
        steps: the names of the steps that it was drawn of.
        free: whether its sequences may have any length.
    """

    model: Any
    steps: tuple[str, ...]
    free: bool

    def inputs(self, rng: np.random.Generator) -> Iterator[list[Array]]:
        """Yield what the model is called with: two batch sizes and two lengths, where these are free."""
        for batch, length in ((3, 9), (2, 14 if self.free else 9)):
            yield [_input(rng, tensor, batch, length) for tensor in self.model.inputs]


def draw(random: Random, keras: Any, first: str = "") -> Drawn:
    """Return a drawn model with random weights.

    Args:
        random: the source of every choice.
        keras: the library, keras or tf_keras.
        first: a step that it has in any case.
    """
    keras.backend.clear_session()
    pen = Pen(random, keras)
    rank = STEPS[first][0] if first else pen.pick(3, 3, 3, 4)
    free = rank != 4 and pen.chance()
    batch = 3 if first == STATEFUL else None
    inputs, x = _begin(pen, rank, free=free, batch=batch)
    taken: list[str] = []
    outputs = []
    for wanted in [first, *[""] * pen.random.randint(1, 4)]:
        fitting = [each for each, (reads, _) in STEPS.items() if reads == len(shape(x)) and (each != STATEFUL or batch)]
        if not fitting:
            break
        name = wanted or pen.pick(*fitting)
        y = STEPS[name][1](pen, x)
        if not _is_small(y):
            break
        if pen.chance(0.15) and len(shape(y)) == 2:
            outputs.append(y)
        x = y
        taken.append(name)
    if len(shape(x)) == 2 and pen.chance():
        aux = keras.Input((3,), batch_size=batch, name="aux")
        x = pen.make("Concatenate")([x, aux])
        inputs.append(aux)
    outputs.append(x)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0], name="drawn")
    fill(model, np.random.default_rng(random.randrange(1 << 30)))
    return Drawn(model, tuple(taken), free)


def _begin(pen: Pen, rank: int, *, free: bool, batch: int | None) -> tuple[list[Tensor], Tensor]:
    length = None if free else 9
    if rank == 2:
        read = pen.keras.Input((5,), name="vector")
        return [read], read
    if rank == 4:
        read = pen.keras.Input((5, 6, 3), name="image")
        return [read], read
    kind = pen.pick("words", "masked", "plain")
    if kind == "words":
        read = pen.keras.Input((length,), batch_size=batch, dtype="int32", name="words")
        return [read], pen.make("Embedding", input_dim=_WORDS, output_dim=pen.size(), mask_zero=pen.chance(0.7))(read)
    read = pen.keras.Input((length, 3), batch_size=batch, name=f"{kind}_sequence")
    return [read], pen.make("Masking", mask_value=_MASKED)(read) if kind == "masked" else read


def _is_small(tensor: Tensor) -> bool:
    return bool(np.prod([each or 14 for each in shape(tensor)[1:]]) <= _MOST) and 0 not in shape(tensor)


def fill(model: Any, rng: np.random.Generator) -> None:
    """Give a model random weights, biases and statistics."""
    filled = []
    for variable in model.weights:
        path = getattr(variable, "path", variable.name)
        value = rng.normal(0, 0.4, tuple(variable.shape))
        filled.append(np.abs(value) + 0.5 if "variance" in path else value)
    model.set_weights(filled)


def _input(rng: np.random.Generator, tensor: Tensor, batch: int, length: int) -> Array:
    sizes = (shape(tensor)[0] or batch, *(each or length for each in shape(tensor)[1:]))
    name = tensor.name.partition(":")[0]
    if name == "words":
        words = rng.integers(1, _WORDS, sizes)
        words[rng.random(sizes) < 0.3] = 0
        words[0, -3:] = 0
        return words.astype("int32")
    array = rng.normal(size=sizes).astype("float32")
    if name == "masked_sequence":
        array[rng.random(sizes[:2]) < 0.3] = _MASKED
        array[-1, :2] = _MASKED
    return array
