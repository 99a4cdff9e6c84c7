"""The cases, numbered, and what is drawn for one: two models of the same weights, and inputs on which a mistake shows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch

from tests.acceptance.models.cases import Inputs, Mistake, ModelPair
from tests.acceptance.models.pairs import (
    classifier,
    convolutions,
    language_model,
    siamese,
    spelling,
    tagger,
    translator,
    two_inputs,
)
from tests.acceptance.models.weights import draw_weights

PAIRS: tuple[ModelPair, ...] = tuple(
    module.PAIR for module in (tagger, convolutions, classifier, translator, siamese, spelling, language_model, two_inputs)
)
RIGHT_PORTS = 5
"""How many correct ports of each pair are compared."""
SHOWS = 1e-4
"""The least difference of the two models' results that a mistake has to make."""
CORRECT = 1e-4
"""The largest difference of a correct port's results, by NumPy alone."""
ATTEMPTS = 20


@dataclass(frozen=True)
class Case:
    """A port with its mistakes, in the order of the call; none for a correct one."""

    number: int
    pair: ModelPair
    mistakes: tuple[Mistake, ...]

    @property
    def kind(self) -> str:
        return ("right", "single", "double")[len(self.mistakes)]

    @property
    def label(self) -> str:
        return "; ".join(mistake.label for mistake in self.mistakes) or "correct"


@dataclass(frozen=True)
class Drawn:
    """The two models of a case, what they take, how far apart their results are and the processor time of their own calls."""

    keras: Any
    torch: Any
    inputs: tuple[Inputs, Inputs]
    effect: float
    seconds: float


def cases() -> list[Case]:
    """Return all cases: of each pair the single mistakes, the double ones and the correct ports."""
    return [Case(number, pair, mistakes) for number, (pair, mistakes) in enumerate(_all())]


def _all() -> Iterator[tuple[ModelPair, tuple[Mistake, ...]]]:
    for pair in PAIRS:
        yield from ((pair, (mistake,)) for mistake in pair.mistakes)
    for pair in PAIRS:
        yield from ((pair, tuple(pair.mistake(label) for label in labels)) for labels in pair.doubles)
    for pair in PAIRS:
        yield from ((pair, ()) for _ in range(RIGHT_PORTS))


def draw(case: Case, seed: int) -> Drawn:
    """Draw a case, again until its mistakes show in the results."""
    for attempt in range(ATTEMPTS):
        drawn = _draw(case, np.random.default_rng([seed, case.number, attempt]))
        if not case.mistakes or drawn.effect > SHOWS:
            break
    if case.mistakes:
        assert drawn.effect > SHOWS, f"{case.pair.name}, {case.label}: not visible in {ATTEMPTS} draws"
    else:
        assert drawn.effect < CORRECT, f"{case.pair.name}: the correct port is {drawn.effect:.2g} off"
    return drawn


def _draw(case: Case, rng: np.random.Generator) -> Drawn:
    torch.manual_seed(int(rng.integers(2**31)))
    sizes = dict(case.pair.sizes(rng))
    for mistake in case.mistakes:
        sizes |= mistake.sizes
    model = case.pair.build(sizes)
    draw_weights(model, rng)
    port = case.pair.port(sizes).eval()
    port.fill(model)
    for mistake in case.mistakes:
        mistake.alter(model if mistake.side == "keras" else port)
    inputs = case.pair.inputs(rng, sizes)
    results, seconds = _own_calls(model, port, inputs)
    return Drawn(model, port, inputs, _distance(*results), seconds)


def _own_calls(model: Any, port: Any, inputs: tuple[Inputs, Inputs]) -> tuple[Sequence[np.ndarray], float]:
    """Return both models' results, and the time of their calls, which are not the first ones."""
    for _ in range(2):
        start = time.process_time()
        expected = model(inputs[0] if len(inputs[0]) > 1 else inputs[0][0], training=False)
        with torch.no_grad():
            actual = port(*map(torch.from_numpy, inputs[1]))
        seconds = time.process_time() - start
    return (keras.ops.convert_to_numpy(expected), actual.numpy()), seconds


def _distance(expected: np.ndarray, actual: np.ndarray) -> float:
    return float(np.abs(expected - actual).max()) if expected.shape == actual.shape else np.inf
