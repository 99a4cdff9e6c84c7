"""What a case of the suite is made of: a model and its correct port, and the mistakes that a port of it can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Sizes = Mapping[str, Any]
Inputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Place:
    """Where a mistake is: in a layer, or in what the port does before it. Any of the names is right."""

    kind: str
    keras: tuple[str, ...]
    torch: tuple[str, ...]


def inside(keras: str, torch: str) -> tuple[Place, ...]:
    """Return the place in a layer. Names are patterns, separated by spaces."""
    return (Place("in", tuple(keras.split()), tuple(torch.split())),)


def before(keras: str, torch: str) -> tuple[Place, ...]:
    """Return the place between a layer's input and what comes before it."""
    return (Place("between", tuple(keras.split()), tuple(torch.split())),)


def around(keras: str, torch: str) -> tuple[Place, ...]:
    """Return both: how a layer is called, or what is applied to its result at the end of a model."""
    return inside(keras, torch) + before(keras, torch)


@dataclass(frozen=True)
class Mistake:
    """One mistake, made in a correct port.

    Args:
        label: what the port does.
        places: where; any of them is right.
        alter: makes the mistake in a correct model.
        fix: words, one of which the remedy has to mention.
        identifiers: those that name it, one of which may be said instead; without either it may be worded in any way.
        sizes: the sizes that the mistake needs.
        side: "torch" or "keras": the model that is wrong. The other one is the original.
    """

    label: str
    places: tuple[Place, ...]
    alter: Callable[[Any], None]
    fix: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    sizes: Sizes = field(default_factory=dict)
    side: str = "torch"


@dataclass(frozen=True)
class ModelPair:
    """A Keras model and its port.

    Args:
        name: of the pair.
        sizes: draws the sizes.
        build: makes the Keras model.
        port: makes the torch module, whose `fill` copies the Keras model's weights.
        inputs: draws what the Keras model takes, and what the port takes.
        partners: the Keras layers and the modules that they are ported to.
        mistakes: what a port can have wrong.
        doubles: labels of two mistakes of one port, in the order of the call.
    """

    name: str
    sizes: Callable[[np.random.Generator], Sizes]
    build: Callable[[Sizes], Any]
    port: Callable[[Sizes], Any]
    inputs: Callable[[np.random.Generator, Sizes], tuple[Inputs, Inputs]]
    partners: Mapping[str, str]
    mistakes: tuple[Mistake, ...]
    doubles: tuple[tuple[str, str], ...]

    def mistake(self, label: str) -> Mistake:
        return next(mistake for mistake in self.mistakes if mistake.label == label)
